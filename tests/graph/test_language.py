"""What Python calls itself, and what it makes of names and classes that are computed."""

from __future__ import annotations

from tests.graph.program import program

# Names that are computed


def test_getattr_with_a_name_that_is_put_together_elsewhere() -> None:
    linked = program("""
        class Printer:
            def show(self, node):
                name = "show_{}".format(type(node).__name__)
                method = getattr(self, name.lower(), self.other)
                method(node)
            def show_table(self, node): pass
            def show_list(self, node): pass
            def hide_list(self, node): pass
            def other(self, node): pass
        Printer().show(1)
    """)
    assert linked.edges() >= {
        "main.Printer.show ~> main.Printer.show_table",
        "main.Printer.show ~> main.Printer.show_list",
        "main.Printer.show ~> main.Printer.other",
    }
    assert not any("hide_list" in edge for edge in linked.edges())


def test_getattr_with_names_from_a_table() -> None:
    linked = program("""
        class Door:
            def open(self): pass
            def close(self): pass
            def lock(self): pass
        for name in ("open", "close"):
            getattr(Door(), name)()
    """)
    assert linked.edges() == {"main ~> main.Door.open", "main ~> main.Door.close", "main -> main.Door"}


def test_one_method_with_a_computed_name_is_only_likely() -> None:
    linked = program("""
        class Tool:
            def run(self, what): return getattr(self, "do_" + what)()
            def do_it(self): pass
        Tool().run(input())
    """)
    assert "main.Tool.run ~> main.Tool.do_it" in linked.edges()


def test_the_beginning_of_a_string_is_no_key() -> None:
    linked = program("""
        def f(): pass
        def g(): pass
        def use(x):
            {"a": f, "ab": g}["a" + x]()
    """)
    assert linked.edges() == {"main.use ~> main.f", "main.use ~> main.g"}


# Attributes that are set


def test_a_class_with_setattr_does_not_call_setters_itself() -> None:
    linked = program("""
        class Plain:
            @property
            def size(self): return 1
            @size.setter
            def size(self, value): pass
        class Guarded(Plain):
            def __setattr__(self, name, value):
                object.__setattr__(self, name, value)
        class Forwarding(Plain):
            def __setattr__(self, name, value):
                super().__setattr__(name, value)
        def a(): Plain().size = 1
        def b(): Guarded().size = 1
        def c(): Forwarding().size = 1
    """)
    assert linked.edges("implicit") == {
        "main.a -> main.Plain.size#2",
        "main.b -> main.Guarded.__setattr__",
        "main.Guarded.__setattr__ -> main.Plain.size#2",
        "main.c -> main.Forwarding.__setattr__",
        "main.Forwarding.__setattr__ -> main.Plain.size#2",
    }


# self


def test_a_method_of_self_may_be_a_subclass_s() -> None:
    linked = program("""
        class Shape:
            def draw(self): self.outline(); self.name()
            def outline(self): raise NotImplementedError
            def name(self): pass
        class Circle(Shape):
            def outline(self): pass
        class Square(Shape):
            def outline(self): pass
    """)
    assert linked.edges() == {
        "main.Shape.draw ~> main.Shape.outline",
        "main.Shape.draw ~> main.Circle.outline",
        "main.Shape.draw ~> main.Square.outline",
        "main.Shape.draw -> main.Shape.name",
    }


def test_on_self_a_receiver_that_arrives_need_not_be_the_only_one() -> None:
    linked = program("""
        class Shape:
            def draw(self): self.outline()
            def outline(self): raise NotImplementedError
        class Circle(Shape):
            def outline(self): pass
        class Square(Shape):
            def outline(self): pass
        Circle().draw()
        def use(shape: Shape): shape.outline()
        use(Circle())
    """)
    assert linked.edges() == {
        "main -> main.Shape.draw",
        "main -> main.Circle",
        "main -> main.use",
        "main.use -> main.Circle.outline",
        "main.Shape.draw ~> main.Shape.outline",
        "main.Shape.draw ~> main.Circle.outline",
        "main.Shape.draw ~> main.Square.outline",
    }


def test_a_mixin_s_init_called_on_another_self() -> None:
    linked = program("""
        class Mixin:
            def __init__(self): self.x = 1
            def __setattr__(self, name, value): pass
        class A(Mixin):
            def __init__(self): Mixin.__init__(self)
            def __setattr__(self, name, value): pass
        A()
    """)
    assert linked.edges("implicit") == {"main.Mixin.__init__ -> main.A.__setattr__"}


def test_an_annotation_names_a_base() -> None:
    linked = program("""
        class Base:
            def run(self): pass
        class Sub(Base):
            def run(self): pass
        def use(x: Base): x.run()
    """)
    assert linked.edges() == {"main.use ~> main.Base.run", "main.use ~> main.Sub.run"}


# What an object is asked for


def test_builtins_ask_objects() -> None:
    linked = program("""
        class A:
            def __len__(self): return 0
            def __repr__(self): return ""
            def __hash__(self): return 1
            def __copy__(self): return self
        import copy
        def length(): len(A())
        def shown(): print(A())
        def text(): f"{A()}", "%s" % A()
        def copied(): copy.copy(A()).x
        def asked():
            a = A()
            if a: pass
        def held(): assert A()
        def either(a): return a or 1
        either(A())
        def key(): return {}[A()]
        def listed(): list(A())
    """)
    assert linked.edges("implicit") == {
        "main.length -> main.A.__len__",
        "main.shown -> main.A.__repr__",
        "main.text -> main.A.__repr__",
        "main.copied -> main.A.__copy__",
        "main.asked -> main.A.__len__",
        "main.held -> main.A.__len__",
        "main.either -> main.A.__len__",
        "main.key -> main.A.__hash__",
    }


def test_a_string_of_its_own_is_not_shown_by_repr() -> None:
    linked = program("""
        class Name(str):
            def __repr__(self): return ""
        def f(): str(Name())
        def g(): repr(Name())
    """)
    assert linked.edges("implicit") == {"main.g -> main.Name.__repr__"}


def test_next_asks_the_iterator_alone() -> None:
    linked = program("""
        class Lines:
            def __iter__(self): return self
            def __next__(self): return 1
        def f(): next(Lines())
    """)
    assert linked.edges("implicit") == {"main.f -> main.Lines.__next__"}


# Classes


def test_what_defining_a_class_calls() -> None:
    linked = program("""
        class Meta(type):
            def __new__(mcs, name, bases, namespace): return super().__new__(mcs, name, bases, namespace)
            def __init__(cls, name, bases, namespace): cls.register()
            def __getitem__(cls, key): pass
            def __len__(cls): return 0
            def register(cls): pass
        class A(metaclass=Meta): pass
        class B(A): pass
        class Plugin:
            def __init_subclass__(cls): pass
        class Mine(Plugin): pass
        def use(): len(B); B.register(); return B["x"]
    """)
    assert linked.edges("implicit") == {
        "main -> main.Meta.__new__",
        "main -> main.Meta.__init__",
        "main -> main.Plugin.__init_subclass__",
        "main.use -> main.Meta.__getitem__",
        "main.use -> main.Meta.__len__",
    }
    assert {"main.use -> main.Meta.register", "main.Meta.__init__ -> main.Meta.register"} <= linked.edges()


def test_decorators_with_options_leave_what_they_decorate() -> None:
    linked = program("""
        import functools
        from dataclasses import dataclass
        @dataclass(frozen=True)
        class Point:
            x: int
            def __post_init__(self): pass
        @functools.lru_cache(maxsize=None)
        def f(): pass
        @functools.lru_cache(100)
        def g(): pass
        Point(1); f(); g()
    """)
    assert linked.edges() >= {"main -> main.Point", "main -> main.f", "main -> main.g"}
    assert linked.edges("implicit") == {"main -> main.Point.__post_init__"}


# What comes from outside


def test_what_is_called_on_something_from_outside_keeps_its_name() -> None:
    linked = program("""
        import re
        from ext import Client
        def call(f): f()
        call(Client().send)
        re.compile("x").sub(lambda match: "", "text")
    """)
    outside = {name for one in linked.links.resolutions for name in one.externals}
    assert {"ext.Client", "ext.Client.send", "re.compile", "re.compile.sub"} <= outside
    assert "main -> main.<lambda>" in linked.edges()


def test_a_queue_of_callbacks() -> None:
    linked = program("""
        import collections
        class Later:
            def __init__(self): self.queue = collections.deque()
            def add(self, f): self.queue.append((f, 1))
            def run(self):
                while self.queue:
                    f, n = self.queue.popleft()
                    f()
        def job(): pass
        later = Later()
        later.add(job)
        later.run()
    """)
    assert "main.Later.run -> main.job" in linked.edges()


# Code that never runs


def test_code_behind_a_return_calls_nothing() -> None:
    linked = program("""
        def a(): pass
        def b(): pass
        def f(x):
            for y in x:
                if y:
                    continue
                    b()
                a()
                break
                b()
            if x:
                raise ValueError(a())
                x = b()
                def inner(): b()
                inner()
            return a()
            b()
        def g():
            try:
                return a()
            finally:
                b()
        def generator():
            return
            yield a()
    """)
    assert linked.edges() == {"main.f -> main.a", "main.g -> main.a", "main.g -> main.b"}
    assert linked.outcomes() | {"ValueError": "", "a": ""} == {
        "a": "",
        "ValueError": "",
        "b": "resolved",
        "inner": "unresolved: never runs",
    }


def test_a_visitor_with_a_method_for_each_of_many_kinds() -> None:
    methods = "\n".join(f"            def visit_K{number}(self, node): pass" for number in range(90))
    linked = program(f"""
        class Visitor:
            def find(self, node): return getattr(self, f"visit_{{type(node).__name__}}", None)
            def visit(self, node): return self.find(node)(node)
        class Compiler(Visitor):
{methods}
        Compiler().visit(1)
    """)
    assert {f"main.Visitor.visit ~> main.Compiler.visit_K{number}" for number in range(90)} <= linked.edges()


# What was asked


def test_isinstance_says_what_a_name_is() -> None:
    linked = program("""
        class Base:
            def run(self): pass
        class Left(Base):
            def run(self): pass
            def left(self): pass
        class Right(Base):
            def run(self): pass
        class Other:
            def run(self): pass
        def use(x):
            if isinstance(x, Left) and x:
                x.run()
            elif isinstance(x, (Right, Other)):
                x.run()
            x.left()
        def each(things):
            for thing in things:
                if isinstance(thing, Right):
                    thing.run()
        def unknown(x):
            if isinstance(x, Left):
                x.left()
        def sure(x):
            assert isinstance(x, Other | None)
            x.run()
        def kind(x, of):
            if isinstance(x, of):
                x.run()
        kind(Right(), len)
        things = [Left(), Right(), Other()]
        for thing in things: use(thing)
        each(things)
    """)
    assert {edge.replace("~", "-") for edge in linked.edges() if not edge.startswith("main ->")} == {
        "main.use -> main.Left.run",
        "main.use -> main.Right.run",
        "main.use -> main.Other.run",
        "main.use -> main.Left.left",
        "main.each -> main.Right.run",
        "main.unknown -> main.Left.left",
        "main.sure -> main.Other.run",
        "main.kind -> main.Right.run",
    }
    lines = {
        (edge.line, linked.names[edge.callee].rpartition("main.")[2])
        for edge in linked.links.edges
        if linked.names[edge.caller] == "main.use"
    }
    assert lines == {(13, "Left.run"), (15, "Right.run"), (15, "Other.run"), (16, "Left.left")}


def test_a_class_is_no_instance_of_a_class() -> None:
    linked = program("""
        class A:
            def __init__(self): pass
            def run(self): pass
        def made(x):
            if isinstance(x, type):
                return x()
            if isinstance(x, A):
                return x.run()
            if callable(x):
                return x()
        made(A)
    """)
    assert linked.edges() == {"main -> main.made", "main.made -> main.A.__init__", "main.made ~> main.A.run"}
