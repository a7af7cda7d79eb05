"""A client that keeps one TCP connection open, or the server it talks to.

    talker.py server NAME PORT          says NAME to every line, on all addresses of both families
    talker.py client ADDRESS PORT SECS  sends a line every 20 ms and prints each change: `connected`, `NAME`, `lost`,
                                        and `waited` when an answer took more than 0.2 s

The client gives a connection up after SECS without an answer, and connects again at once.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

LONG = 0.2


def serve(name: str, port: int) -> None:
    listening = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    print("ready", flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=answer, args=(connection, name), daemon=True).start()


def answer(connection: socket.socket, name: str) -> None:
    with connection:
        try:
            while connection.recv(100):
                connection.sendall(name.encode() + b"\n")
        except OSError:
            pass  # the client went


def talk(address: str, port: int, patience: float) -> None:
    last = ""
    while True:
        try:
            with socket.create_connection((address, port), patience) as connection:
                print("connected", flush=True)
                while True:
                    asked = time.monotonic()
                    connection.sendall(b"?\n")
                    said = connection.recv(100).decode().strip()
                    if time.monotonic() - asked > LONG:
                        print("waited", flush=True)
                    if not said:
                        break
                    if said != last:
                        print(said, flush=True)
                        last = said
                    time.sleep(0.02)
        except OSError:
            time.sleep(0.02)
        if last:
            print("lost", flush=True)
            last = ""


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        talk(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
