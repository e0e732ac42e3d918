"""What each name in a notebook's code stands for, as far as reading tells: a walk over syntax trees in order.

A *path* is what an expression may refer to, as a dotted name: `F.relu` after `import torch.nn.functional as F` is
`torch.nn.functional.relu`; what the notebook defines itself lies under `__main__`. An expression has a set of paths,
empty when nothing is known. Followed: imports, star imports, assignments across cells, branches (both sides),
getattr, importlib, exec and eval of constant text, modules beside the notebook.
Not followed: values in containers, attributes and arguments, computed names; the kernel's guard stops those.
"""

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from harness.intake.parse import Parsed, parse_source

OWN = "__main__"
Paths = frozenset[str]
NOTHING: Paths = frozenset()
OWN_CLASS = f"{OWN}.<class>"
INSTANCE: Paths = frozenset({f"{OWN}.<instance>"})
IMPORTERS = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__"})
RUNNERS = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
CODE_MAGICS = frozenset({"time", "timeit", "prun"})  # `%time CODE`
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Use:
    """One place in the code that refers to something by a path."""

    path: str
    where: Parsed
    line: int


@dataclass(slots=True)
class _Scope:
    names: dict[str, Paths] = field(default_factory=dict)
    outer: "_Scope | None" = None
    is_class: bool = False

    def look_up(self, name: str) -> Paths:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return frozenset({f"builtins.{name}"}) if hasattr(builtins, name) else NOTHING


class Resolver(ast.NodeVisitor):
    """Walks pieces of code in the order in which they run and collects every use of a path, and of methods by name.

    Bodies of functions are walked at the end (`finish`): they see the notebook's names as the checks will find them.
    """

    def __init__(self, stars: Callable[[str], Iterable[str]], modules: Mapping[str, Parsed]) -> None:
        """`stars` gives the names that `from MODULE import *` is taken to bring; `modules` lie beside the notebook."""
        self.uses: list[Use] = []
        self.methods: list[Use] = []  # `path` is the bare name of a method of an unknown object
        self._stars = stars
        self._modules = modules
        self._exports: dict[str, _Scope] = {}
        self._main = _Scope()
        self._scope = self._main
        self._waiting: list[tuple[ast.AST, _Scope, Parsed]] = []
        self._where: Parsed = Parsed(ast.Module([], []), None)
        self._conditional = 0
        self._line: int | None = None  # of the exec whose text is being walked

    def run(self, piece: Parsed) -> None:
        """Walk one cell."""
        self._inside(piece, self._main, piece.tree.body)

    def finish(self) -> None:
        """Walk the modules not imported yet, then all bodies of functions."""
        for name in sorted(self._modules):
            self._module(name)
        while self._waiting:
            function, scope, where = self._waiting.pop(0)
            body = function.body  # type: ignore[attr-defined]
            self._inside(where, scope, body if isinstance(body, list) else [body])

    def _inside(self, where: Parsed, scope: _Scope, body: Iterable[ast.AST]) -> None:
        before = self._where, self._scope, self._conditional
        self._where, self._scope, self._conditional = where, scope, 0
        try:
            for node in body:
                self._visit(node)
        finally:
            self._where, self._scope, self._conditional = before

    def _visit(self, node: ast.AST | None) -> Paths:
        return NOTHING if node is None else (self.visit(node) or NOTHING)

    def _module(self, name: str) -> _Scope:
        """The names that a module beside the notebook ends up with; walked once."""
        if name not in self._exports:
            self._exports[name] = _Scope()  # first, so that modules may import each other
            self._inside(self._modules[name], self._exports[name], self._modules[name].tree.body)
        return self._exports[name]

    def _at(self, node: ast.AST) -> int:
        return self._line or int(getattr(node, "lineno", 1))

    def _use(self, paths: Iterable[str], node: ast.AST) -> None:
        line = self._at(node)
        self.uses += [Use(path, self._where, line) for path in sorted(paths)]

    def _attributes(self, base: Paths, name: str) -> Paths:
        found: set[str] = set()
        for path in base:
            if path in self._modules:
                found |= self._module(path).names.get(name, {f"{OWN}.{name}"})
            elif not path.startswith(OWN):  # what an object of the notebook's own holds is not known
                found.add(f"{path}.{name}")
        return frozenset(found)

    def _bind(self, target: ast.AST, paths: Paths) -> None:
        if isinstance(target, ast.Name):
            self._name(target.id, paths)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, NOTHING)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self._bind(element, NOTHING)
        else:
            self._visit(target)

    def _name(self, name: str, paths: Paths) -> None:
        """A binding that may not happen adds to what the name was; one that does replaces it."""
        own = any(path.startswith(OWN) for path in paths)
        before = self._scope.look_up(name) if self._conditional and not own else NOTHING
        self._scope.names[name] = paths | before

    # imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._use({alias.name}, node)
            top = alias.name.partition(".")[0]
            self._name(alias.asname or top, frozenset({alias.name if alias.asname else top}))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                self._star(module, node)
                continue
            paths = self._attributes(frozenset({module}), alias.name) if module else frozenset({alias.name})
            self._use({module, *paths}, node)
            self._name(alias.asname or alias.name, paths)

    def _star(self, module: str, node: ast.AST) -> None:
        self._use({module}, node)
        if module in self._modules:
            for name, paths in self._module(module).names.items():
                self._name(name, paths)
        for name in self._stars(module):
            self._name(name, frozenset({f"{module}.{name}"}))

    # definitions

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self._visit(decorator)
        self._visit(node.returns)
        self._later(node)
        self._name(node.name, frozenset({f"{OWN}.{node.name}"}))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> Paths:
        self._later(node)
        return frozenset({f"{OWN}.<lambda>"})

    def _later(self, node: Function) -> None:
        """Put a body off; defaults are evaluated now and become what the parameters may stand for."""
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        scope = _Scope(outer=self._scope.outer if self._scope.is_class else self._scope)
        defaults = [self._visit(default) for default in arguments.defaults]
        for argument, paths in zip_longest(reversed(positional), reversed(defaults), fillvalue=NOTHING):
            if isinstance(argument, ast.arg):
                scope.names[argument.arg] = paths
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            scope.names[argument.arg] = self._visit(default)
        for extra in filter(None, (arguments.vararg, arguments.kwarg)):
            scope.names[extra.arg] = NOTHING
        for argument in [*positional, *arguments.kwonlyargs]:
            self._visit(argument.annotation)
        if self._scope.is_class and positional:
            scope.names[positional[0].arg] = INSTANCE
        self._waiting.append((node, scope, self._where))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self._visit(part)
        self._inside(self._where, _Scope(outer=self._scope, is_class=True), node.body)
        self._name(node.name, frozenset({f"{OWN_CLASS}.{node.name}"}))

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:  # what the function then binds is at least not taken for the module's star import
            self._scope.names.setdefault(name, self._main.look_up(name))

    # statements that bind

    def visit_Assign(self, node: ast.Assign) -> None:
        paths = self._visit(node.value)
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List) and isinstance(node.value, ast.Tuple | ast.List):
                self._unpack(target, node.value)
            else:
                self._bind(target, paths)

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.Tuple | ast.List) -> None:
        plain = len(target.elts) == len(value.elts) and not any(isinstance(e, ast.Starred) for e in target.elts)
        seen = len(self.uses), len(self.methods)
        paths = [self._visit(element) if plain else NOTHING for element in value.elts]
        del self.uses[seen[0] :], self.methods[seen[1] :]  # the elements were walked as part of the value already
        for index, element in enumerate(target.elts):
            self._bind(element, paths[index] if plain else NOTHING)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit(node.annotation)
        if node.value is not None:
            self._bind(node.target, self._visit(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._visit(node.value)
        self._bind(node.target, NOTHING)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Paths:
        paths = self._visit(node.value)
        self._bind(node.target, paths)
        return paths

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._visit(node.iter)
        self._bind(node.target, NOTHING)
        self._branches(node.body, node.orelse)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self.visit_For(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        self._visit(node.context_expr)
        if node.optional_vars is not None:
            self._bind(node.optional_vars, NOTHING)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._visit(node.type)
        if node.name:
            self._name(node.name, NOTHING)
        self._branches(node.body)

    def visit_If(self, node: ast.If | ast.While) -> None:
        self._visit(node.test)
        self._branches(node.body, node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self.visit_If(node)

    def visit_Try(self, node: ast.Try) -> None:
        self._branches(node.body, node.handlers, node.orelse)
        for statement in node.finalbody:
            self._visit(statement)

    def visit_Match(self, node: ast.Match) -> None:
        self._visit(node.subject)
        for case in node.cases:
            self._branches([case.pattern], [case.guard] if case.guard else [], case.body)

    def _branches(self, *bodies: Iterable[ast.AST]) -> None:
        self._conditional += 1
        for body in bodies:
            for statement in body:
                self._visit(statement)
        self._conditional -= 1

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        outer, self._scope = self._scope, _Scope(outer=self._scope)
        for generator in node.generators:
            self._visit(generator.iter)
            self._bind(generator.target, NOTHING)
            for condition in generator.ifs:
                self._visit(condition)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self._visit(part)
        self._scope = outer

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    # expressions

    def visit_Name(self, node: ast.Name) -> Paths:
        if not isinstance(node.ctx, ast.Load):
            return NOTHING
        paths = self._scope.look_up(node.id)
        self._use(paths, node)
        return paths

    def visit_Attribute(self, node: ast.Attribute) -> Paths:
        base = self._visit(node.value)
        return self._attribute(base, node.attr, node) if isinstance(node.ctx, ast.Load) else NOTHING

    def _attribute(self, base: Paths, name: str, node: ast.AST) -> Paths:
        if not base:
            self.methods.append(Use(name, self._where, self._at(node)))
        paths = self._attributes(frozenset(path.removesuffix(".__dict__") for path in base), name)
        self._use(paths, node)
        return paths

    def visit_Subscript(self, node: ast.Subscript) -> Paths:
        base = self._visit(node.value)
        self._visit(node.slice)
        key = constant_text(node.slice)
        if key is not None and "sys.modules" in base:
            return self._import(key, node)
        tables = frozenset(path for path in base if path.endswith(".__dict__"))
        return self._attribute(tables, key, node) if key is not None and tables else NOTHING

    def visit_IfExp(self, node: ast.IfExp) -> Paths:
        self._visit(node.test)
        return self._visit(node.body) | self._visit(node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> Paths:
        return frozenset().union(*(self._visit(value) for value in node.values))

    def visit_Call(self, node: ast.Call) -> Paths:
        function = self._visit(node.func)
        arguments = [self._visit(argument) for argument in [*node.args, *(word.value for word in node.keywords)]]
        texts = [constant_text(argument) for argument in [*node.args, *(word.value for word in node.keywords)]]
        if function & IMPORTERS and texts and texts[0] is not None:
            paths = self._import(texts[0], node)
            plain = "builtins.__import__" in function and len(node.args) < 4 and not node.keywords
            return frozenset(path.partition(".")[0] for path in paths) if plain else paths
        if "builtins.getattr" in function and len(texts) > 1 and texts[1] is not None:
            return self._attribute(arguments[0], texts[1], node)
        if "builtins.vars" in function and arguments:
            return frozenset(f"{path}.__dict__" for path in arguments[0])
        if function & RUNNERS and texts and texts[0] is not None:
            self._code(texts[0], node)
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "run_line_magic" and len(texts) > 1:
            self._code(texts[1] if texts[0] in CODE_MAGICS else None, node)
        return INSTANCE if any(path.startswith(OWN_CLASS) for path in function) else NOTHING

    def _import(self, module: str, node: ast.AST) -> Paths:
        self._use({module}, node)
        return frozenset({module})

    def _code(self, source: str | None, node: ast.AST) -> None:
        """Walk constant text that is run as code, in the scope of its call."""
        if source is None:
            return
        try:
            tree = parse_source(source.strip())
        except (SyntaxError, RecursionError, MemoryError):
            return  # it will not run either, or the kernel's guard is the one to see it
        outer, self._line = self._line, self._at(node)
        for statement in tree.body:
            self._visit(statement)
        self._line = outer


def constant_text(node: ast.AST) -> str | None:
    """The text that `node` always is: a literal, a sum of them, an f-string of constants; None for anything else."""
    parts: list[str] = []
    waiting = [node]  # a loop, because a sum of a thousand literals is nested a thousand deep
    while waiting:
        match waiting.pop():
            case ast.Constant(value=str(text)):
                parts.append(text)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                waiting += [right, left]
            case ast.JoinedStr(values=values):
                waiting += reversed(values)
            case ast.FormattedValue(value=value):
                waiting.append(value)
            case _:
                return None
    return "".join(parts)
