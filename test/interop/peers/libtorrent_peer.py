#!/usr/bin/python3
"""libtorrent (Debian's python3-libtorrent) as an ordinary peer: encryption tried first, peers from trackers only.

    seed <torrent> <folder> <host:port>          prints READY
    leech <torrent|magnet> <folder> <host:port>  prints DONE when complete
"""
import os
import signal
import sys
import time

import libtorrent as lt

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
mode, source, folder, listen = sys.argv[1:]
session = lt.session({
    'listen_interfaces': listen, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
    'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
    'announce_to_all_trackers': True, 'announce_to_all_tiers': True,
    'alert_mask': lt.alert.category_t.error_notification | lt.alert.category_t.tracker_notification
    | lt.alert.category_t.peer_notification | lt.alert.category_t.connect_notification,
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
while not handle.status().is_seeding:
    for alert in session.pop_alerts():
        print(alert.message(), flush=True)
    time.sleep(0.02)
print('READY' if mode == 'seed' else 'DONE', flush=True)
signal.pause()
