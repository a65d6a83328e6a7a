"""Imports point one way, and heavy packages are imported where they are used."""

import ast
import subprocess
import sys

import pytest

import reproductions


def imports(file, anywhere=True):
    """Modules that a file imports; with `anywhere=False` only what importing it brings in."""
    tree = ast.parse(file.read_text())
    found, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
        elif not anywhere and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif not anywhere and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
    return found


def tops(modules):
    return {module.split(".")[0] for module in modules}


def files(root, *folders):
    return [file for folder in folders for file in sorted((root / folder).rglob("*.py"))]


def test_kiloframe_reaches_torch_and_reproductions_only_late(root):
    for file in files(root, "kiloframe"):
        assert "torch" not in tops(imports(file)), f"{file} imports torch"
        assert "reproductions" not in tops(imports(file, anywhere=False)), f"{file} imports reproductions at once"


def test_nobody_imports_torchvision(root):
    for file in files(root, "kiloframe", "reproductions", "notebooks", "tests", "benchmarks"):
        assert "torchvision" not in tops(imports(file)), file


ALLOWED = {
    "methods": {"parts", "worlds", "measures", "training", "contract"},
    "parts": {"parts"},
    "worlds": {"worlds"},
    "measures": {"measures", "worlds", "parts", "footage", "video_reader"},
    "loaders": {"loaders", "worlds", "footage", "video_pixels", "video_reader", "video_source"},
}

ALSO = {"world_training.py": {"contract", "training"}}  # the world network is trained as methods are


@pytest.mark.parametrize("folder", ALLOWED)
def test_layers_of_the_reproductions(root, folder):
    for file in files(root, f"reproductions/{folder}"):
        extends = None
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXTENDS":
                extends = ast.literal_eval(node.value)
        for module in imports(file):
            parts = module.split(".")
            if parts[0] == "reproductions" and len(parts) > 1:
                declared = extends is not None and parts[1:3] == ["methods", extends]
                allowed = ALLOWED[folder] | ALSO.get(file.name, set())
                assert parts[1] in allowed or declared, f"{file} imports {module}"
            assert parts[0] != "notebooks", f"{file} imports a notebook"


def test_no_torch_where_none_is_promised():
    code = (
        "import reproductions, reproductions.parts.schedules, reproductions.video, reproductions.worlds.digits, sys;"
        "import reproductions.footage, reproductions.loaders.source; from reproductions import loaders;"
        "[loaders.kind(name) for name in loaders.names()];"
        "reproductions.names(); print({'torch', 'av', 'PIL', 'sklearn', 'tfrecord'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


def test_only_the_standard_library_for_schedules(root):
    modules = tops(imports(root / "reproductions/parts/schedules.py"))
    assert modules <= set(sys.stdlib_module_names) | {"kiloframe"}


def test_files_are_short(root):
    for file in files(root, "kiloframe", "reproductions", "tests/reproductions"):
        lines = len(file.read_text().splitlines())
        assert lines <= 450 if file.name == "schema.py" else lines <= 400, f"{file} has {lines} lines"
    for slug in reproductions.names():
        lines = len((root / f"reproductions/methods/{slug}.py").read_text().splitlines())
        assert 150 <= lines <= 350, f"{slug} has {lines} lines"


def test_a_method_file_opens_with_its_paper_idea_and_numbered_deviations(root, cat):
    for slug in reproductions.names():
        text = ast.get_docstring(ast.parse((root / f"reproductions/methods/{slug}.py").read_text()))
        assert text.startswith(cat.methods[slug].title) and cat.methods[slug].arxiv in text
        assert "The one idea." in text
        numbers = [
            int(line.split(".")[0])
            for line in text.split("Deviations")[1].splitlines()
            if line[:3].strip(" 0123456789") == "."
        ]
        assert numbers and numbers == list(range(1, len(numbers) + 1))
