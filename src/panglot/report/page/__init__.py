"""The page's template and style, as data of the package."""
