"""Spans without a place are joined by what frameworks call the code, and what could be two places is not guessed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.traces.conftest import Shop, index
from tracelens_indexer.traces.anchors import Anchors
from tracelens_indexer.traces.importing import import_file

FLASK = """
from flask import Blueprint, Flask
app = Flask(__name__)
admin = Blueprint("admin", __name__, url_prefix="/admin")

@app.route("/orders", methods=["POST"])
def create_order(): ...

@app.get("/orders/<int:order_id>")
def one_order(order_id): ...

@admin.route("/orders")
def all_orders(): ...
"""
FASTAPI = """
from fastapi import APIRouter
router: APIRouter = APIRouter(prefix="/items", tags=["items"])

@router.get("/")
async def list_items(): ...

@router.put("/{item_id}")
async def put_item(item_id: int): ...

@router.delete("/{item_id}")
async def delete_item(item_id: int): ...
"""
VIEWS = """
def order_detail(request, pk): ...

class OrderView:
    def get(self, request): ...
    def post(self, request): ...
"""
SETS = """
from rest_framework import routers, viewsets

class LineViewSet(viewsets.ModelViewSet):
    def list(self, request): ...
    def retrieve(self, request, pk=None): ...
"""
SETS_URLS = """
from django.urls import include, path
from rest_framework import routers
from .views import LineViewSet, overview
router = routers.DefaultRouter()
router.register(r"lines", LineViewSet, basename="line")
urlpatterns = [path("", overview), path("rest/", include(router.urls))]
"""
STARLETTE = """
from aiohttp import web
from starlette.routing import Route

async def health(request): ...
async def upload(request): ...
def legacy(): ...
class Users:
    def get(self): ...

routes = [Route("/health", health, methods=["GET"])]
app.add_api_route("/uploads/{name:path}", upload, methods=["POST"])
flask.add_url_rule("/legacy", view_func=legacy)
flask.add_url_rule("/users/", "users", view_func=Users.as_view("users"))
web_app.router.add_put("/aio/{name}", upload)
"""
URLS = """
from django.urls import include, path, re_path
from . import views
urlpatterns = [
    path("basket/", include("lines.urls")),
    path("shop/<int:pk>/", views.order_detail),
    path("shop/", views.OrderView.as_view(), name="orders"),
    re_path(r"^archive/(?P<year>[0-9]{4})/$", views.order_detail),
    path("sub/", include("shop.urls")),
]
"""
TASKS = """
@app.task(name="mail.send")
def send_mail(to): ...

@shared_task
def clean(): ...

@fluxloop.agent(name="OrderAgent")
def handle(raw): ...

def twice(): ...

class Twice:
    def twice(self): ...
"""


@pytest.fixture
def web(shop: Shop) -> Shop:
    for name, source in {
        "flask_app.py": FLASK,
        "api.py": FASTAPI,
        "web/views.py": VIEWS,
        "web/urls.py": URLS,
        "web/__init__.py": "",
        "tasks.py": TASKS,
        "lines/__init__.py": "",
        "lines/views.py": SETS + "\n\ndef overview(request): ...\n",
        "lines/urls.py": SETS_URLS,
        "starlette_app.py": STARLETTE,
    }.items():
        path = shop.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    index(shop.writer, shop.root)
    return shop


def span(number: int, name: str, **more: object) -> dict[str, object]:
    attributes = more.pop("attributes", {})
    assert isinstance(attributes, dict)
    return {
        "traceId": "0af7",
        "spanId": f"{number:016x}",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(1_800_000_000_000_000_000 + number * 1000),
        "endTimeUnixNano": str(1_800_000_000_000_000_500 + number * 1000),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        **more,
    }


def write(path: Path, spans: list[dict[str, object]], scope: str = "") -> Path:
    scoped = {"scope": {"name": scope}, "spans": spans}
    path.write_text(json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [scoped]}]}))
    return path


def joined(shop: Shop, path: Path) -> list[str]:
    shop.profiles = {}
    import_file(shop, path)
    return [key.scope for key in shop.profiles]


@pytest.mark.parametrize(
    ("method", "route", "scope"),
    [
        ("POST", "/orders", "create_order"),
        ("GET", "/orders/<int:order_id>", "one_order"),
        ("GET", "/orders/{order_id}", "one_order"),
        ("GET", "/admin/orders", "all_orders"),
        ("GET", "/api/v1/items/", "list_items"),
        ("PUT", "/items/{id}", "put_item"),
        ("DELETE", "/items/{id}", "delete_item"),
        ("GET", "shop/<int:pk>/", "order_detail"),
        ("GET", "shop/", "OrderView.get"),
        ("POST", "shop/", "OrderView.post"),
        ("GET", "^archive/(?P<year>[0-9]{4})/$", "order_detail"),
        ("HEAD", "/items/", "list_items"),
        ("GET", "basket/rest/^lines/$", "LineViewSet.list"),
        ("GET", "basket/rest/^lines/(?P<pk>[^/.]+)/$", "LineViewSet.retrieve"),
        ("DELETE", "basket/rest/^lines/(?P<pk>[^/.]+)/$", "LineViewSet"),
        ("GET", "basket/", "overview"),
        ("GET", "/health", "health"),
        ("POST", "/uploads/{name:path}", "upload"),
        ("GET", "/legacy", "legacy"),
        ("GET", "/users/", "Users.get"),
        ("PUT", "/v1/aio/{name}", "upload"),
    ],
)
def test_a_route_is_joined_to_its_handler(web: Shop, tmp_path: Path, method: str, route: str, scope: str) -> None:
    attributes = {"http.route": route, "http.request.method": method}
    trace = write(tmp_path / "t.jsonl", [span(1, f"{method} {route}", kind=2, attributes=attributes)])
    assert joined(web, trace) == [scope]


def test_a_route_that_no_handler_serves_says_so(web: Shop, tmp_path: Path) -> None:
    trace = write(tmp_path / "t.jsonl", [span(1, "GET /nothing", kind=2, attributes={"http.route": "/nothing"})])
    summary = import_file(web, trace)
    assert summary.frames.external == {"a route without a handler in this workspace": 1}


@pytest.mark.parametrize(
    ("entry", "scope", "found"),
    [
        (span(1, "shop.service.OrderService.process"), "", ["OrderService.process"]),
        (span(1, "OrderService.process"), "", ["OrderService.process"]),
        (span(1, "Warehouse.reserve"), "shop.inventory", ["Warehouse.reserve"]),
        (span(1, "normalise"), "shop.inventory", ["normalise"]),
        (span(1, "normalise"), "a.library", []),
        (
            span(1, "run/mail.send", attributes={"celery.action": "run", "celery.task_name": "mail.send"}),
            "",
            ["send_mail"],
        ),
        (span(1, "x", kind=5, attributes={"celery.task_name": "tasks.clean"}), "", ["clean"]),
        (span(1, "x", attributes={"code.function.name": "shop.pricing.line_total"}), "", ["line_total"]),
        (span(1, "x", attributes={"code.namespace": "shop.pricing", "code.function": "tax_rate"}), "", ["tax_rate"]),
    ],
)
def test_names_are_joined(web: Shop, tmp_path: Path, entry: dict[str, object], scope: str, found: list[str]) -> None:
    assert joined(web, write(tmp_path / "t.jsonl", [entry], scope)) == found


def test_the_place_a_library_was_called_from_is_no_call_of_it(shop: Shop, tmp_path: Path) -> None:
    attributes = {"code.function": "reserve", "code.filepath": "shop/inventory.py", "code.lineno": "18"}
    query = span(1, "SELECT", kind=3, attributes={**attributes, "db.system": "sqlite"})
    assert joined(shop, write(tmp_path / "t.jsonl", [query])) == []
    stock = span(2, "SELECT", kind=1, attributes=attributes)
    assert joined(shop, write(tmp_path / "u.jsonl", [stock], "opentelemetry.instrumentation.sqlite3")) == []


def test_an_exception_places_all_spans_of_its_name(shop: Shop, tmp_path: Path) -> None:
    stack = (
        "Traceback (most recent call last):\n"
        '  File "/x/site-packages/opentelemetry/trace/__init__.py", line 602, in use_span\n    yield span\n'
        '  File "/app/shop/pricing.py", line 25, in line_total\n    raise OrderError("x")\n'
        "shop.models.OrderError: x\n"
    )
    attributes = {"exception.type": "OrderError", "exception.message": "x", "exception.stacktrace": stack}
    event = {
        "name": "exception",
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
    }
    trace = write(tmp_path / "t.jsonl", [span(1, "total of a line", events=[event]), span(2, "total of a line")])
    assert joined(shop, trace) == ["line_total"]
    unit = shop.profile("line_total").unit
    assert (unit.calls, unit.errors) == (2, 1)


def test_a_function_is_found_by_its_decorators_name_then_by_its_own(web: Shop, tmp_path: Path) -> None:
    lines = [
        {"id": str(n), "type": "agent", "name": name, "trace_id": "t", "start_time": "2030-01-01T00:00:00Z"}
        for n, name in enumerate(("OrderAgent", "send_mail", "twice"))
    ]
    path = tmp_path / "observations.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    web.profiles = {}
    summary = import_file(web, path)
    assert {key.scope for key in web.profiles} == {"handle", "send_mail"}
    assert list(summary.frames.ambiguous) == ["could be tasks.py:Twice.twice, tasks.py:twice"]


def test_children_may_overlap_outlast_and_circle(shop: Shop, tmp_path: Path) -> None:
    def at(number: int, parent: int, name: str, start: int, end: int) -> dict[str, object]:
        return {
            **span(number, name),
            "parentSpanId": f"{parent:016x}",
            "startTimeUnixNano": str(10**18 + start),
            "endTimeUnixNano": str(10**18 + end),
        }

    spans = [
        at(2, 1, "shop.pricing.line_total", 10, 60),
        at(3, 1, "shop.pricing.line_total", 30, 80),
        at(4, 1, "shop.pricing.tax_rate", 90, 500),
        at(1, 0, "shop.pricing.price_order", 0, 100),
        at(2, 1, "shop.pricing.line_total", 10, 60),
        at(8, 9, "shop.inventory.normalise", 0, 10),
        at(9, 8, "shop.inventory.normalise", 0, 10),
        at(7, 7, "shop.inventory.normalise", 5, 1),
    ]
    summary = import_file(shop, write(tmp_path / "t.jsonl", spans))
    order = shop.profile("price_order").unit
    assert (order.calls, order.total_ns, order.self_ns) == (1, 100, 20)
    assert shop.profile("line_total").unit.calls == 2
    assert shop.profile("normalise").unit.calls == 3
    assert summary.skipped == {"span with an id that was seen before": 1, "negative duration": 1}


def test_files_that_register_no_handler_are_not_looked_up_in_git(
    web: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a process, of which so many are allowed: the files that the trace is about would have none left."""
    subprocess.run(["git", "init", "-q"], cwd=web.root, check=True, capture_output=True)
    asked: list[str] = []
    ask = Anchors._git

    def counted(anchors: Anchors, name: str) -> bytes | None:
        asked.append(name)
        return ask(anchors, name)

    monkeypatch.setattr(Anchors, "_git", counted)
    attributes = [{"key": "vcs.ref.head.revision", "value": {"stringValue": "3fa9c1d2" * 5}}]
    told = span(1, "GET /health", kind=2, attributes={"http.route": "/health", "http.request.method": "GET"})
    trace = tmp_path / "t.json"
    scoped = [{"scope": {"name": ""}, "spans": [told]}]
    trace.write_text(json.dumps({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scoped}]}))
    import_file(web, trace)
    assert any("starlette_app.py" in name for name in asked)
    assert not any("shop/pricing.py" in name for name in asked), asked
