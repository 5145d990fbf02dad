"""The search page and the page of the API: each one HTML file that loads nothing from anywhere else."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def search_page() -> tuple[str, str]:
    """Return the search page's HTML, and the policy under which only its own code and style run."""
    folder = files("panglot.search.serve") / "page"
    html, style, script = (
        (folder / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    policy = PAGE_POLICY.format(script=_hash(script), style=_hash(style))
    return html.replace("/*style*/", style).replace("/*script*/", script), policy


def with_headers(app: ASGIApp) -> ASGIApp:
    """Add to every answer what keeps a browser from doing more with it than show it."""

    async def add(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", API_POLICY)
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("referrer-policy", "no-referrer")
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await app(scope, receive, send_with)

    return add


def api_page(description: Mapping[str, Any]) -> tuple[str, str]:
    """Return the OpenAPI description as a page to read, and its policy. It has no script."""
    style = (files("panglot.search.serve") / "page" / "api.css").read_text("utf-8")
    parts = [
        _operation(path, method, operation, description)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    about = description["info"]
    html = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(about['title'])}: the API</title><style>{style}</style></head><body><main>"
        f"<h1>{escape(about['title'])} {escape(about['version'])}</h1><p>{escape(about['description'])}</p>"
        "<p>For programs: <a href='/openapi.json'>/openapi.json</a> (OpenAPI). "
        "For people: <a href='/'>the search page</a>.</p>" + "".join(parts) + "</main></body></html>"
    )
    return html, PAGE_POLICY.format(script="'none'", style=_hash(style))


def _operation(path: str, method: str, operation: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    """Describe one thing that can be asked for."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    fields = [
        (one["name"], one["schema"], one.get("description", ""), one["required"])
        for one in operation.get("parameters", [])
    ]
    if body:
        schema = _resolved(body, description)
        needed = schema.get("required", [])
        fields += [
            (name, one, one.get("description", ""), name in needed)
            for name, one in schema["properties"].items()
        ]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(schema))}</td>"
        f"<td>{'needed' if needed else escape(_default(schema))}</td><td>{escape(text)}</td></tr>"
        for name, schema, text, needed in fields
    )
    table = f"<table><tr><th>name<th>kind<th>default<th>meaning</tr>{rows}</table>" if rows else ""
    answers = ", ".join(
        f"{code}: {answer['description'].rstrip('.')}" for code, answer in operation["responses"].items()
    )
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}"
        f"<details><summary>answers</summary><p>{escape(answers)}</p></details></section>"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a value may be."""
    bounds = [
        f"{word} {schema[name]}"
        for name, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("minLength", "length from"),
            ("maxLength", "length to"),
            ("minItems", "items from"),
            ("maxItems", "items to"),
        )
        if name in schema
    ]
    kind = " or ".join(map(str, schema["enum"])) if "enum" in schema else str(schema.get("type", ""))
    if kind == "array":
        kind = f"list of {_kind(schema['items'])}"
    return " ".join([kind, *([f"({', '.join(bounds)})"] if bounds else [])])


def _default(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema["default"]) if "default" in schema else ""


def _resolved(schema: Mapping[str, Any], description: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return found


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
