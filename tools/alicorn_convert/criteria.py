"""What routes take of paths, hosts and addresses, whoever says it: each function gives the text
as a route has it, or None."""

import ipaddress
import re


def path(text):
    """Other spellings are no paths when routes are looked at."""
    shape = re.fullmatch(r"\*[^*]*|/[^*]*|/([^*]*/)?\*", text)
    return text if shape and not re.search(r"[?#%]|//|/\.{1,2}(/|$)", text) else None


def host(text):
    lower = text.lower()
    return lower if re.fullmatch(r"\*|(\*\.)?[\w-][\w.-]*|\[[0-9a-f:.]+\]", lower) else None


def network(text):
    """An address or a network, without a port; IPv6 may be in brackets."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        made = str(ipaddress.ip_network(bare, strict=False))
    except ValueError:
        return None
    return made if "/" in bare else bare
