"""Drives the Python package etcd3 (Debian: python3-etcd3) against one server.

Usage: etcd3_client.py PORT SECTION. Asserts what must hold on any server and prints, as JSON, what
it saw, to be compared between servers.
"""

import json
import sys
import threading

import etcd3
from etcd3 import exceptions

TIMEOUT_SECONDS = 20


def text(value):
    return None if value is None else value.decode("latin1")


def pairs(found):
    return [(text(meta.key), text(value), meta.version) for value, meta in found]


def kv(client):
    client.put("kv/a", "1")
    client.put("kv/b", b"\x00\xff")
    client.put("kv/c", "3")
    value, meta = client.get("kv/a")
    assert (value, meta.key, meta.version) == (b"1", b"kv/a", 1)
    seen = [pairs(client.get_prefix("kv/"))]
    seen.append(pairs(client.get_prefix("kv/", sort_order="descend", sort_target="key")))
    seen.append(pairs(client.get_range("kv/a", "kv/c")))
    seen.append(text(client.put("kv/a", "2", prev_kv=True).prev_kv.value))
    seen.append([client.put_if_not_exists("kv/a", "x"), client.put_if_not_exists("kv/d", "4")])
    seen.append([client.replace("kv/a", "x", "y"), client.replace("kv/a", "2", "3")])
    seen.append([client.delete("kv/d"), client.delete("kv/d")])
    assert client.get("kv/d") == (None, None)
    seen.append(client.delete_prefix("kv/").deleted)
    assert seen[-1] == 3
    return seen


def transactions(client):
    tx = client.transactions
    compare = [tx.create("tx/a") == 0, tx.version("tx/a") == 0]
    run = lambda: client.transaction(
        compare=compare,
        success=[tx.put("tx/a", "first"), tx.get("tx/a")],
        failure=[tx.get("tx/a"), tx.delete("tx/a")],
    )
    succeeded, responses = run()
    assert succeeded and responses[1][0][0] == b"first"
    failed, responses = run()
    assert not failed and responses[0][0][0] == b"first"
    nested = client.transaction(
        compare=[tx.value("tx/a") != "anything"],
        success=[tx.txn(compare=[tx.mod("tx/b") == 0], success=[tx.put("tx/b", "n")], failure=[])],
        failure=[],
    )
    return [succeeded, failed, nested[0], pairs(client.get_prefix("tx/"))]


def lease(client):
    granted = client.lease(600, lease_id=77)
    client.put("le/a", "1", lease=granted)
    client.put("le/b", "2", lease=77)
    assert 590 < granted.remaining_ttl <= granted.granted_ttl == 600
    refreshed = [response.TTL for response in granted.refresh()]
    keys = sorted(text(key) for key in granted.keys)
    client.revoke_lease(77)
    assert client.get("le/a") == (None, None)
    gone = client.get_lease_info(77).TTL
    # Expires by itself.
    events, cancel = client.watch("le/c")
    client.put("le/c", "3", lease=client.lease(1))
    kinds = [type(next(events)).__name__ for _ in range(2)]
    cancel()
    assert kinds == ["PutEvent", "DeleteEvent"]
    return [refreshed, keys, gone, kinds]


def lock(client):
    first, second = client.lock("lo", ttl=600), client.lock("lo", ttl=600)
    seen = [first.acquire(), first.is_acquired(), second.is_acquired(), second.release()]
    seen.append([response.TTL for response in first.refresh()])
    seen.append([first.release(), second.acquire(), first.is_acquired(), second.is_acquired()])
    second.lease.revoke()
    seen.append([second.is_acquired(), first.acquire(), first.release()])
    # Two threads add to a counter without a transaction: only the lock keeps the sum.
    client.put("lo/count", "0")
    workers = [threading.Thread(target=count, args=(client, 10)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = int(client.get("lo/count")[0])
    assert total == 20
    assert seen[:4] == [True, True, False, False]
    return [seen, total]


def count(client, times):
    done = 0
    while done < times:
        # By hand: with a newer tenacity the package's own waiting fails, on any server.
        held = client.lease(600)
        tx = client.transactions
        succeeded, _ = client.transaction(
            compare=[tx.create("lo/mutex") == 0],
            success=[tx.put("lo/mutex", "", lease=held)],
            failure=[],
        )
        if succeeded:
            value = int(client.get("lo/count")[0])
            client.put("lo/count", str(value + 1))
            done += 1
        held.revoke()


def watch(client):
    events, cancel = client.watch_prefix("wa/", prev_kv=True)
    client.put("wa/a", "1")
    client.put("wa/b", "2")
    client.put("wa/a", "3")
    client.delete_prefix("wa/")
    seen = []
    for _ in range(5):
        event = next(events)
        seen.append([type(event).__name__, text(event.key), text(event.value)])
    cancel()
    assert [kind for kind, _, _ in seen] == ["PutEvent"] * 3 + ["DeleteEvent"] * 2
    past, cancel = client.watch("wa/a", start_revision=event.mod_revision)
    last = next(past)
    cancel()
    assert isinstance(last, etcd3.events.DeleteEvent)
    try:
        client.watch_once("wa/none", timeout=0.2)
        raise AssertionError("something happened to a key that nobody touches")
    except exceptions.WatchTimedOut:
        return seen


def members(client):
    found = list(client.members)
    status = client.status()
    assert status.leader.id == found[0].id
    assert status.raft_index > 0
    alarms = [len(list(client.list_alarms()))]
    client.create_alarm()
    alarms.append(len(list(client.list_alarms())))
    client.disarm_alarm()
    alarms.append(len(list(client.list_alarms())))
    assert alarms == [0, 1, 0]
    revision = client.get_response("any").header.revision
    client.compact(revision, physical=True)
    client.defragment()
    return [[member.name for member in found], [len(member.client_urls) for member in found], alarms]


def errors(client):
    seen = []
    for call in (
        lambda: client.put("", "x"),
        lambda: client.put("er/a", "x", lease=4711),
        lambda: client.revoke_lease(4711),
        lambda: client.compact(1 << 40),
    ):
        try:
            call()
            raise AssertionError("the call succeeded, though it had to fail")
        except Exception as error:
            code = getattr(error, "code", lambda: None)()
            details = getattr(error, "details", lambda: str(error))()
            seen.append([type(error).__name__, str(code), details])
    assert [details for _, _, details in seen] == [
        "etcdserver: key is not provided",
        "etcdserver: requested lease not found",
        "etcdserver: requested lease not found",
        "etcdserver: mvcc: required revision is a future revision",
    ]
    return seen


SECTIONS = [kv, transactions, lease, lock, watch, members, errors]

if __name__ == "__main__":
    port, wanted = int(sys.argv[1]), sys.argv[2]
    run = next(section for section in SECTIONS if section.__name__ == wanted)
    with etcd3.client(host="127.0.0.1", port=port, timeout=TIMEOUT_SECONDS) as connected:
        print(json.dumps(run(connected)))
