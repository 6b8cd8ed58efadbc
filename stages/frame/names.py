"""Ground floor: names that come from data, such as labels and clips' ids, as names of files."""

import hashlib
import re

_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def file_name(text: str) -> str:
    """A file's name, without suffix, that `text` can do no harm by: at most 100 letters, digits and `._-`.

    Such a text stays as it is. Of any other the rest becomes `_`, and a hash of the whole keeps different texts apart.
    """
    if _HARMLESS.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', text).strip('.-')[:91]}-{digest}"
