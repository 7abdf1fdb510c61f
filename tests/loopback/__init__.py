"""A server on the loopback address that speaks IBM's REST API to the unmodified client, and breaks on demand.

Start here:

- `fixtures`: pytest fixtures and the `Loopback` handle (start, faults, ledger of truth, kill, restart);
- `server`: ``python -m tests.loopback.server``, one JSON line with the port, then requests until it is killed;
- `api`: the requests of the client; `control`: the requests of a test, under ``/_control``;
- `auth`: tokens and the list of instances; `devices`: backends and their calibrations; `sessions`: batches;
- `store`: jobs and everything else that survives a restart; `worker`: the queue, one job after the other;
- `program`: what a job asks for, checked as IBM would; `execute`: run on Aer; `billing`: QPU seconds; `seeds`;
- `faults`: what goes wrong, where and how often; `guard`: nothing leaves this machine.

The reaction of the client to an answer is real. That IBM would answer so is assumed, except where a comment
names a document: error codes, texts, and how long a tag search lags behind are ours.
"""
