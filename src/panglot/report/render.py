"""Specifications to SVG and PNG, in this process: no network, no browser."""

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"
SCALE = 2.0  # pixels of a PNG a point


def svg(spec: Mapping[str, Any]) -> str:
    """Return a picture as a whole SVG file."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    return text


def png(spec: Mapping[str, Any]) -> bytes:
    """Return a picture as PNG, in twice its size."""
    import vl_convert

    content: bytes = vl_convert.vegalite_to_png(json.dumps(spec), scale=SCALE, allowed_base_urls=[])
    return content


def inline_svg(text: str, name: str, alt: str) -> str:
    """Return an SVG file as a part of a page: with a name and a description, and ids of its own.

    It takes the width that there is; links and scripts, which charts do not have, are dropped.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(text)
    width, height = root.get("width", "600"), root.get("height", "400")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}script", f"{{{SVG}}}foreignObject"):
                parent.remove(child)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == XLINK or key == "href" or key.startswith(("aria", "role", "on")):
                del element.attrib[key]
            elif key == "id":
                element.set(key, f"{name}-{value}")
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#", f"url(#{name}-", value))
    described = ElementTree.Element(f"{{{SVG}}}title", {"id": f"{name}-title"})
    described.text = alt
    root.insert(0, described)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "viewBox": root.get("viewBox", f"0 0 {width} {height}"),
        "style": f"max-width:{width}px",
    }
    for key in ("width", "height", "class", "version"):
        root.attrib.pop(key, None)
    return ElementTree.tostring(root, encoding="unicode")
