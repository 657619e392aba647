"""Why nothing is shown: of real imports, step by step, down to one thing to do."""

from __future__ import annotations

from pathlib import Path

from tests.traces.conftest import SAMPLES, Shop, index
from tracelens.answers import nothing
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.traces.importing import import_file


def why(shop: Shop, path: str, name: str = "") -> nothing.Nothing:
    snapshot = IndexSnapshot(shop.index)
    units = [unit for unit in snapshot.units_in(path) if unit.scope == name]
    return nothing.why(snapshot, path, units[0] if units else None)


def log(shop: Shop, tmp_path: Path, place: str) -> None:
    file = tmp_path / "app.log"
    file.write_text(f"Traceback (most recent call last):\n  {place}\n    return 1\nValueError: x\n")
    import_file(shop, file)


def test_a_path_that_ends_alike_is_named_with_the_mapping_that_helps(shop: Shop, tmp_path: Path) -> None:
    import_file(shop, SAMPLES / "pyspy.speedscope.json")
    shop.writer.drop_runs([run.id for run in shop.index.runs()])
    file = tmp_path / "app.raw"
    file.write_text("main (/srv/other/pricing.py:3) 5\nprocess (shop/service.py:16);reserve (shop/inventory.py:16) 9\n")
    import_file(shop, file)
    told = why(shop, "shop/pricing.py", "line_total")
    assert "/srv/other/pricing.py, which is not taken for this file" in told.line
    assert '[tool.tracelens.paths] "/srv/other" = "shop"' in told.todo


def test_a_file_that_changed_since_the_index_is_said_first(shop: Shop) -> None:
    import_file(shop, SAMPLES / "app.log")
    with (shop.root / "shop/pricing.py").open("a") as file:
        file.write("\n\ndef new():\n    return 1\n")
    told = why(shop, "shop/pricing.py", "line_total")
    assert "the file has changed since" in told.line
    assert told.todo.startswith("tracelens index")


def test_a_unit_that_samples_missed_is_told_so(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "app.raw"
    file.write_text("OrderService.process (shop/service.py:16);Warehouse.reserve (shop/inventory.py:16) 9\n")
    import_file(shop, file)
    told = why(shop, "shop/service.py", "OrderService.process_all")
    assert "samples miss what is quick" in told.line
    assert any("saw 1 of its functions" in detail for check in told.checks for detail in check.details)


def test_a_frame_that_fits_no_unit_is_told_with_its_reason(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "app.raw"
    file.write_text("price_order (shop/pricing.py:1) 5\nWarehouse.reserve (shop/inventory.py:16) 9\n")
    import_file(shop, file)
    told = why(shop, "shop/pricing.py", "price_order")
    assert "has price_order at line 1: the line is in no unit of that name" in told.line


def test_counts_that_are_not_added_up_are_named(shop: Shop, tmp_path: Path) -> None:
    places = {"line_total": 20}
    for tool in ("one", "two"):
        file = tmp_path / f"{tool}.json"
        name = next(unit.first_line for unit in shop.index.units_in("shop/pricing.py") if unit.scope in places)
        event = f'{{"ph":"X","pid":1,"tid":1,"ts":1,"dur":3,"name":"line_total (shop/pricing.py:{name})","cat":"fee"}}'
        tail = (
            '"viztracer_metadata":{"overflow":false},"file_info":{"files":{},"functions":{}}'
            if tool == "one"
            else '"x":1'
        )
        file.write_text(f'{{"traceEvents":[{event}],{tail}}}')
        import_file(shop, file)
    told = why(shop, "shop/pricing.py", "line_total")
    assert any("not added up" in check.told for check in told.checks)
    (unit,) = [unit for unit in shop.index.units_in("shop/pricing.py") if unit.scope == "line_total"]
    profile = shop.index.profile(unit.id)
    assert profile is not None
    assert profile.calls == 1


def test_the_tests_that_would_show_it_are_named(shop: Shop, tmp_path: Path) -> None:
    (shop.root / "tests").mkdir()
    (shop.root / "tests" / "test_decorators.py").write_text("from shop import decorators\n")
    (shop.root / "shop" / "tests").mkdir()
    (shop.root / "shop" / "tests" / "test_all.py").write_text("import shop\n")
    index(shop.writer, shop.root)
    log(shop, tmp_path, 'File "shop/pricing.py", line 25, in line_total')
    assert why(shop, "shop/decorators.py").todo == "tracelens record -- pytest tests/test_decorators.py"
    assert why(shop, "shop/__main__.py").todo == "tracelens record -- pytest shop/tests"


def test_a_run_that_counts_and_samples_missed_no_unit(shop: Shop, tmp_path: Path) -> None:
    """Our own recordings do both: what they have no calls of was not called."""
    counted = tmp_path / "counted.json"
    place = "line_total (shop/pricing.py:23)"
    counted.write_text(f'{{"traceEvents":[{{"ph":"X","pid":1,"tid":1,"ts":1,"dur":3,"name":"{place}","cat":"fee"}}]}}')
    import_file(shop, counted)
    (run,) = shop.index.runs()
    assert shop.index.counts_calls(run.id)
    assert why(shop, "shop/pricing.py", "apply_discount").line.startswith(
        "shop.pricing.apply_discount (shop/pricing.py:29): no calls in 1 run"
    ), why(shop, "shop/pricing.py", "apply_discount").line


def test_a_file_that_is_not_there_is_said_and_the_one_that_may_be_meant(shop: Shop) -> None:
    told = why(shop, "shop/tests/pricing.py")
    assert told.line.endswith("no such file in this workspace. tracelens doctor shop/pricing.py   (is this meant?)")
    assert why(shop, "shop/zzz.py").todo == "name it from the root of the workspace"
