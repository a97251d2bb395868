"""A Redfish BMC for one machine: sushy-tools' emulator, with the machine's front panel behind its power.

Its own drivers speak to libvirt, OpenStack or nobody. Arguments: front panel's unix socket, folder for state, certificate, key.
Environment: SERIAL, MODEL, BMC_USER, BMC_PASSWORD. Port: any free one, told in werkzeug's line "Running on https://127.0.0.1:PORT".
"""

import json
import os
import socket
import sys
import uuid

import bcrypt
import flask
from sushy_tools import error
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver

# QEMU's monitor has ten seconds.
PANEL_TIMEOUT_SECONDS = 12

RESETS = {
    "On": "on",
    "ForceOn": "on",
    "ForceOff": "off",
    "GracefulShutdown": "shutdown",
    "GracefulRestart": "restart",
    "ForceRestart": "reset",
}


class PanelDriver(AbstractSystemsDriver):
    """The machine is the only system. Nothing of it is remembered here: each question goes to the panel."""

    driver = "<front panel>"
    systems = ()

    def __init__(self, panel, serial):
        self._panel = panel
        self._uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, serial))
        self.systems = [self._uuid]

    def uuid(self, identity):
        if identity != self._uuid:
            raise error.NotFound(f"there is no system {identity}")
        return identity

    name = uuid

    def get_power_state(self, identity):
        self.uuid(identity)
        # None leaves PowerState out, as for a BMC that cannot tell.
        return {"on": "On", "off": "Off"}.get(self._ask("status"))

    def set_power_state(self, identity, state):
        self.uuid(identity)
        if state not in RESETS:
            raise error.NotSupportedError(f"the machine has no reset of type {state}")
        answer = self._ask(RESETS[state])
        if answer != "accepted":
            raise error.FishyError(answer)

    def get_boot_device(self, identity):
        return None

    def set_boot_device(self, identity, boot_source):
        raise error.NotSupportedError("the machine boots from its disk")

    def _ask(self, word):
        with socket.socket(socket.AF_UNIX) as panel:
            panel.settimeout(PANEL_TIMEOUT_SECONDS)
            panel.connect(self._panel)
            panel.sendall(f"{word}\n".encode())
            return panel.makefile().readline().strip()


def add_identity(response):
    """sushy-tools has no place for serial and model, by which a BMC's systems are told apart."""
    if flask.request.endpoint == "system_resource" and flask.request.method == "GET" and response.status_code == 200:
        body = response.get_json()
        body.update(SerialNumber=os.environ["SERIAL"], Model=os.environ["MODEL"])
        response.set_data(json.dumps(body))
    return response


def main():
    panel, folder, certificate, key = sys.argv[1:]
    users = os.path.join(folder, "users")
    # Checked with each request, so the cheapest: this password guards a lab.
    password = bcrypt.hashpw(os.environ["BMC_PASSWORD"].encode(), bcrypt.gensalt(rounds=4)).decode()
    with open(users, "w") as file:
        file.write(f"{os.environ['BMC_USER']}:{password}\n")
    emulator.Application.systems = PanelDriver(panel, os.environ["SERIAL"])
    emulator.app.after_request(add_identity)
    emulator.app.configure(
        extra_config={
            "SUSHY_EMULATOR_AUTH_FILE": users,
            "SUSHY_EMULATOR_STATE_DIR": folder,
            "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
            "SUSHY_EMULATOR_LISTEN_PORT": 0,
            "SUSHY_EMULATOR_SSL_CERT": certificate,
            "SUSHY_EMULATOR_SSL_KEY": key,
        }
    )
    del sys.argv[1:]
    emulator.main()


main()
