"""What a lab without descriptors shows: a web page that says which node serves it, at an address that goes along."""

from __future__ import annotations

import json
import sys

from gds.lab.place import Lab

_HEAD = """# The example of `gds lab up`: a page that says which node serves it.

[group.web]
nodelist = {nodes}
pingpong_interval = "10s"
"""
_ADDRESS = """
[resource.web-ip]
type = "LogicalHostname"
group = "web"
hostnamelist = ["{floating}"]
netiflist = ["{interface}"]
prefix = {width}
"""
_WEB = """
[resource.web]
group = "web"
start_command = '''
mkdir -p {pages}/$GDS_NODE &&
echo "served by $GDS_NODE, token $GDS_FENCING_TOKEN" >{pages}/$GDS_NODE/index.html &&
exec {python} -I -m http.server {port} --bind {address} --directory {pages}/$GDS_NODE'''
probe = {{http = "{page}"}}
thorough_probe_interval = "5s"
probe_timeout = "2s"
"""


def page(lab: Lab, port: int) -> str:
    """Its URL. `port`: a free one of the machine, for nodes without a network of their own."""
    return f"http://{lab.floating()}:8080/" if lab.net else f"http://127.0.0.1:{port}/"


def descriptor(lab: Lab) -> str:
    """Its text."""
    address, _, port = lab.page.removeprefix("http://").rstrip("/").partition(":")
    words = {
        "nodes": json.dumps(list(lab.nodes)),
        "floating": address,
        "interface": lab.interface,
        "width": lab.net.rpartition("/")[2],
        "page": lab.page,
        "pages": f"{lab.directory}/page",
        "python": sys.executable,
        "address": address,
        "port": port,
    }
    return (_HEAD + (_ADDRESS if lab.net else "") + _WEB).format(**words)
