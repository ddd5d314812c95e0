"""Writes `src/macula/generated` from the spec: models, error classes, the operations table.

python scripts/generate.py           writes it
python scripts/generate.py --check   fails if what is there is something else
"""

import copy
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SPEC = HERE / "../../../openapi/openapi.json"
OUT = HERE / "../src/macula/generated"
HEAD = '"""{}\n\nMade from openapi/openapi.json by scripts/generate.py. Do not edit.\n"""\n\n'

# What a client does not judge in what it hears, and what the gateway judges in what it says.
CONSTRAINTS = (
    "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
    "maxProperties", "example", "examples",
)  # fmt: skip


def main() -> int:
    files = generated(json.loads(SPEC.read_text()))
    if "--check" in sys.argv[1:]:
        wrong = [name for name, text in files.items() if read(OUT / name) != text]
        if wrong:
            print(f"not as scripts/generate.py writes it: {', '.join(wrong)}", file=sys.stderr)
        return len(wrong)
    OUT.mkdir(exist_ok=True)
    for name, text in files.items():
        (OUT / name).write_text(text)
    return 0


def read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def generated(spec: dict[str, Any]) -> dict[str, str]:
    """Every file of the folder, by name."""
    files = {
        "__init__.py": HEAD.format("What is made from the spec."),
        "models.py": models(lowered(spec)),
        "errors.py": errors(spec),
        "operations.py": operations(spec),
    }
    return {name: formatted(name, text) for name, text in files.items()}


def formatted(name: str, text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--config", str(HERE / "../pyproject.toml")]
    command += ["--stdin-filename", str(OUT / name), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def lowered(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec's schemas alone, without constraints.

    What a gateway may leave out may be null then, a map of such is empty, and what it names is any text, as
    a later gateway may know more names.
    """
    schemas: dict[str, Any] = copy.deepcopy(spec["components"]["schemas"])
    mapping = schemas["ClientFrame"]["discriminator"]["mapping"]
    said = {ref.rsplit("/", 1)[1] for ref in mapping.values()} | {"HelloFrame"}
    for name, schema in schemas.items():
        strip(schema, heard=name not in said)
    del schemas["Problem"]
    return {"openapi": spec["openapi"], "info": spec["info"], "components": {"schemas": schemas}}


def strip(schema: Any, heard: bool) -> None:
    if isinstance(schema, list):
        for item in schema:
            strip(item, heard)
    if not isinstance(schema, dict):
        return
    for name in CONSTRAINTS:
        schema.pop(name, None)
    if schema.get("$ref") == "#/components/schemas/Problem":
        # All its members survive, those that are not known here among them.
        del schema["$ref"]
        schema.update({"type": "object", "additionalProperties": True})
    if heard:
        schema.pop("enum", None)
    properties: dict[str, Any] = schema.get("properties", {})
    for name, member in properties.items():
        if heard and name not in schema.get("required", []) and name != "type":
            properties[name] = may_be_absent(member)
    for name, value in schema.items():
        if name == "properties":
            for member in value.values():
                strip(member, heard)
        elif name not in ("required", "discriminator"):
            strip(value, heard)


def may_be_absent(member: dict[str, Any]) -> dict[str, Any]:
    if "default" in member:
        return member
    if "additionalProperties" in member:
        return {**member, "default": {}}
    bare = {key: value for key, value in member.items() if key != "description"}
    absent: dict[str, Any] = {"anyOf": [bare, {"type": "null"}]} if bare else {}
    return {**absent, "default": None, "description": member.get("description", "")}


def models(spec: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        lowered_spec, written = Path(folder) / "openapi.json", Path(folder) / "models.py"
        lowered_spec.write_text(json.dumps(spec))
        command = [
            sys.executable, "-m", "datamodel_code_generator",
            "--input", str(lowered_spec), "--input-file-type", "openapi",
            "--output", str(written), "--output-model-type", "msgspec.Struct",
            "--target-python-version", "3.11", "--disable-timestamp", "--use-standard-collections",
            "--use-union-operator", "--use-schema-description",
            "--enum-field-as-literal", "all", "--formatters", "builtin",
            "--custom-file-header", HEAD.format("Models of the spec's schemas, frames among them."),
        ]  # fmt: skip
        subprocess.run(command, check=True)
        return written.read_text()


def errors(spec: dict[str, Any]) -> str:
    """A class for each error code of the contract, in the order of the spec, and a table of them."""
    meanings = {
        code: f"{meaning} Status {status}."
        for methods in spec["paths"].values()
        for operation in methods.values()
        for status, answer in operation.get("responses", {}).items()
        for code, meaning in re.findall(r"^`([a-z_]+)`: (.*)$", answer["description"], re.MULTILINE)
    }
    codes = spec["components"]["schemas"]["ErrorCode"]["x-extensible-enum"]
    text = HEAD.format("The error codes of the contract, a class each.")
    text += "from ..problem import Problem\n\n"
    for code in codes:
        doc = f"`{code}`: {meanings.get(code, 'Told by the gateway.')}"
        text += f'class {class_of(code)}(Problem):\n    """{doc}"""\n\n'
    rows = "".join(f'"{code}": {class_of(code)},' for code in codes)
    return f"{text}PROBLEMS: dict[str, type[Problem]] = {{{rows}}}\n" + '"""The class of each code."""\n'


def class_of(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))


def operations(spec: dict[str, Any]) -> str:
    """What a client has to know of the HTTP API: the way to each operation, the grammar of names."""
    rows = sorted(
        f'"{operation["operationId"]}": ("{method.upper()}", "{path}"),'
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
        if "operationId" in operation
    )
    name, pattern = (spec["components"]["schemas"][of] for of in ("Name", "Pattern"))
    call = spec["paths"]["/v1/rpc/{realm}/{procedure}"]["post"]
    timeout = next(one["schema"] for one in call["parameters"] if one["name"] == "timeout_ms")
    return "".join(
        (
            HEAD.format("The operations of the HTTP API, and the grammar of names."),
            f"OPERATIONS = {{{''.join(rows)}}}\n",
            '"""The method and the path of each operation."""\n\n',
            f'NAME = r"{name["pattern"]}"\n"""What a name is: dotted segments."""\n\n',
            f'PATTERN = r"{pattern["pattern"]}"\n',
            '"""What a pattern is: a name in which a segment may be `*` and the last `**`."""\n\n',
            f'MAX_NAME = {name["maxLength"]}\n"""The most characters of a name or pattern."""\n\n',
            f"TIMEOUT_MS = ({timeout['minimum']}, {timeout['maximum']})\n",
            '"""The shortest and the longest timeout of a call, in milliseconds."""\n',
        )
    )


if __name__ == "__main__":
    sys.exit(main())
