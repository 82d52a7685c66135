"""Every template compiles, extends something that is there, and carries nothing that the policy would block."""

import re

import pytest
from jinja2 import nodes

from tracker.app import create_app
from tracker.config import Config
from tracker.paths import shipped

KEY = "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_"
APP = create_app(Config(secret_key=KEY))
NAMES = sorted(name for name in APP.jinja_env.list_templates() if not name.startswith("locale/"))
INLINE = re.compile(
    r'\bstyle="|\son[a-z]+="|<script(?![^>]*\ssrc=)|<style\b|javascript:|\|\s*safe\b|\bhx-on\b', re.IGNORECASE
)


def test_every_file_is_looked_at():
    assert len(NAMES) == sum(1 for path in shipped("templates").rglob("*.[hst]*") if path.is_file())
    assert len(NAMES) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_and_what_it_names_is_there(name):
    source = APP.jinja_env.loader.get_source(APP.jinja_env, name)[0]
    APP.jinja_env.get_template(name)
    named = [
        part.template.value
        for part in APP.jinja_env.parse(source).find_all((nodes.Extends, nodes.Import, nodes.FromImport, nodes.Include))
        if isinstance(part.template, nodes.Const)
    ]
    assert set(named) <= set(NAMES)
    if not name.startswith("mail/"):  # a mail program knows no style sheet
        assert INLINE.findall(source) == []
