"""What a lab without descriptors shows: a web page that says which node serves it, at an address that goes along."""

from __future__ import annotations

import json
import sys

from gds.lab.place import Lab

PORT = 8080
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
mkdir -p {page}/$GDS_NODE &&
echo "served by $GDS_NODE, token $GDS_FENCING_TOKEN" >{page}/$GDS_NODE/index.html &&
exec {python} -I -m http.server {port} --bind {address} --directory {page}/$GDS_NODE'''
probe = {{http = "http://{address}:{port}/"}}
thorough_probe_interval = "5s"
"""


def descriptor(lab: Lab, port: int) -> str:
    """Its text. `port`: where it listens when the nodes share the machine's network."""
    width = lab.net.rpartition("/")[2]
    address = lab.floating() if lab.net else "127.0.0.1"
    words = {
        "nodes": json.dumps(list(lab.nodes)),
        "floating": address,
        "interface": lab.interface,
        "width": width,
        "page": f"{lab.directory}/page",
        "python": sys.executable,
        "address": address,
        "port": PORT if lab.net else port,
    }
    return (_HEAD + (_ADDRESS if lab.net else "") + _WEB).format(**words)
