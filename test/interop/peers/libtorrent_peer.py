#!/usr/bin/python3
"""libtorrent (Debian's python3-libtorrent) as an ordinary peer: encryption tried first, peers from trackers only.

    seed <torrent> <folder> <host:port> [options]          prints READY
    leech <torrent|magnet> <folder> <host:port> [options]  prints DONE when complete

Options are JSON: `settings` of the session, `peer` [host, port] to connect to, and `say_dht`, for the number of DHT nodes
it keeps and its own id (DHT <count> <hex>), with every DHT packet. For each peer it says how the stream
is protected: STREAM plain, handshake (encrypted handshake only) or rc4.
"""
import json
import os
import signal
import sys
import time

import libtorrent as lt

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
mode, source, folder, listen = sys.argv[1:5]
options = json.loads(sys.argv[5]) if len(sys.argv) > 5 else {}
say_dht = options.get('say_dht', False)
categories = lt.alert.category_t
session = lt.session({
    'listen_interfaces': listen, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
    'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
    'announce_to_all_trackers': True, 'announce_to_all_tiers': True,
    'alert_mask': lt.alert.category_t.error_notification | lt.alert.category_t.tracker_notification
    | lt.alert.category_t.peer_notification | lt.alert.category_t.connect_notification
    | (categories.dht_log_notification if say_dht else 0),
    **options.get('settings', {}),
})
params = lt.parse_magnet_uri(source) if source.startswith('magnet:') else lt.add_torrent_params()
if not source.startswith('magnet:'):
    params.ti = lt.torrent_info(source)
params.save_path = folder
# Otherwise the first connection may be refused while libtorrent's queue decides.
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
if mode == 'seed':
    params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
if 'peer' in options:
    handle.connect_peer(tuple(options['peer']))


def protection(peer):
    if peer.flags & lt.peer_info.rc4_encrypted:
        return 'rc4'
    return 'handshake' if peer.flags & lt.peer_info.plaintext_encrypted else 'plain'


said = set()


def say(line):
    if line not in said:
        print(line, flush=True)
    said.add(line)


while True:
    for alert in session.pop_alerts():
        print(alert.message(), flush=True)
    for peer in handle.get_peer_info():
        if not peer.flags & (lt.peer_info.handshake | lt.peer_info.connecting):
            say(f'STREAM {protection(peer)}')
    if say_dht:
        state = session.save_state().get(b'dht state', {})
        count = sum(len(state.get(key, [])) for key in (b'nodes', b'nodes6'))
        for own in state.get(b'node-id', []):
            say(f'DHT {count} {own[:20].hex()}')
    if handle.status().is_seeding:
        say('READY' if mode == 'seed' else 'DONE')
    time.sleep(0.02)
