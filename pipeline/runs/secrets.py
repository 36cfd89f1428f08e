"""Strikes the tracking store's passwords and tokens out of what is written down."""

import os
import re
from urllib.parse import unquote

_USERINFO = re.compile(r"(?<=://)[^\s/]+@")
_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def without_secrets(text: str) -> str:
    """Strikes out of ``text`` the user and password of any URL in it, and any password known from the environment."""
    for secret in known():
        text = text.replace(secret, "***")
    return _USERINFO.sub("***@", text)


def known() -> list[str]:
    """Lists the tracking store's passwords and tokens that the environment tells, as they may be written."""
    place = os.environ.get("MLFLOW_TRACKING_URI", "").partition("://")[2]
    userinfo = "" if place.startswith("/") else place.rpartition("@")[0]  # a path may hold an @ of its own
    password = userinfo.partition(":")[2]
    told = [userinfo, password, unquote(password), *(os.environ.get(name) for name in _VARIABLES)]
    return [secret for secret in told if secret]
