"""The search page and the page of the API, which load nothing from anywhere else, and security headers."""

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from panglot.search.serve.limits import STATIC

# what keeps a browser from doing more with an answer than show it
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
PAGE_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def search_page() -> HTMLResponse:
    """Return the search page, with a policy under which only its own code and style run."""
    folder = files("panglot.search.serve") / "page"
    html, style, script = (
        (folder / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    return _page(html.replace("/*style*/", style).replace("/*script*/", script), _hash(script), _hash(style))


def api_page() -> HTMLResponse:
    """Return FastAPI's page of the API (Swagger UI), with a policy under which only its own code runs."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="panglot: the API",
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    html = bytes(page.body).decode()
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    return _page(html, f"'self' {_hash(script)}", "'self'")


def _page(html: str, script: str, style: str) -> HTMLResponse:
    policy = PAGE_POLICY.format(script=script, style=style)
    return HTMLResponse(html, headers={"content-security-policy": policy})


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
