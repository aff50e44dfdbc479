"""Writes what a playbook did to each host as JSON into the file that PULLBOOK_ANSIBLE_STATS names.

A callback plugin of Ansible; ansible-core has none that gives this to a program.
"""
import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: pullbook_stats
    type: aggregate
    short_description: what a playbook did to each host, as JSON
    description: Writes the statistics of a playbook into a file.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "pullbook_stats"

    def v2_playbook_on_stats(self, stats):
        hosts = {}
        for host in sorted(stats.processed):
            s = stats.summarize(host)
            hosts[host] = {"ok": s["ok"], "changed": s["changed"], "failures": s["failures"],
                           "unreachable": s["unreachable"], "skipped": s["skipped"]}
        with open(os.environ["PULLBOOK_ANSIBLE_STATS"], "w") as f:
            json.dump(hosts, f)
