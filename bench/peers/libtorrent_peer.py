#!/usr/bin/python3
"""libtorrent (Debian's python3-libtorrent) as a peer over TCP, alone: no DHT, no uTP, no discovery, no encryption.

    seed <torrent> <folder> <host:port>      prints READY
    leech <torrent> <folder> <host:port of the seeder>
                                             prints READY, waits for a line, prints DONE <s> <s to the first byte>
    resume <folder of torrents> <folder of data> <folder for resume data>
                                             writes what `restart` starts from
    restart <folder of torrents> <folder of data> <folder of resume data>
                                             prints DONE <seconds> <torrents> and PORT <listening> when all of them seed
"""
import os
import signal
import sys
import time

import libtorrent as lt

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def session(listen='127.0.0.1:0'):
    return lt.session({
        'listen_interfaces': listen, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
        'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
        'in_enc_policy': 2, 'out_enc_policy': 2, 'allow_multiple_connections_per_ip': True,
        'rate_limit_ip_overhead': False, 'alert_queue_size': 100000,
        'active_limit': 100000, 'active_seeds': 100000, 'connections_limit': 1000,
        'alert_mask': lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
        | lt.alert.category_t.storage_notification,
    })


def params(torrent, folder):
    p = lt.add_torrent_params()
    p.ti = lt.torrent_info(torrent)
    p.save_path = folder
    # Otherwise the first connection may be refused while libtorrent's queue decides.
    p.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    return p


def seed(torrent, folder, address):
    s = session(address)
    p = params(torrent, folder)
    p.flags |= lt.torrent_flags.seed_mode
    handle = s.add_torrent(p)
    while not handle.status().is_seeding:
        time.sleep(0.01)
    print('READY', flush=True)
    signal.pause()


def leech(torrent, folder, address):
    s = session()
    handle = s.add_torrent(params(torrent, folder))
    while handle.status().state in (lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data):
        time.sleep(0.005)
    print('READY', flush=True)
    sys.stdin.readline()
    started, first = time.time(), None
    host, port = address.rsplit(':', 1)
    handle.connect_peer((host, int(port)))
    while not handle.status().is_seeding:
        if first is None and handle.status().total_payload_download > 0:
            first = time.time()
        time.sleep(0.005)
    print('DONE %.4f %.4f' % (time.time() - started, (first or started) - started), flush=True)
    signal.pause()


def resume(torrents, folder, target):
    s = session()
    handles = []
    for name in sorted(os.listdir(torrents)):
        p = params(os.path.join(torrents, name), folder)
        p.flags |= lt.torrent_flags.seed_mode
        handles.append(s.add_torrent(p))
    for handle in handles:
        handle.save_resume_data(lt.save_resume_flags_t.save_info_dict)
    saved = 0
    while saved < len(handles):
        s.wait_for_alert(1000)
        for alert in s.pop_alerts():
            if isinstance(alert, lt.save_resume_data_alert):
                with open(os.path.join(target, str(alert.params.info_hashes.v1)), 'wb') as file:
                    file.write(lt.write_resume_data_buf(alert.params))
                saved += 1
            elif isinstance(alert, lt.save_resume_data_failed_alert):
                raise SystemExit(alert.message())
    print('DONE 0 %d' % saved, flush=True)


def restart(_torrents, folder, source):
    s = session()
    started = time.time()
    handles = []
    for name in os.listdir(source):
        with open(os.path.join(source, name), 'rb') as file:
            p = lt.read_resume_data(file.read())
        p.save_path = folder
        p.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handles.append(s.add_torrent(p))
    while not all(handle.status().is_seeding for handle in handles):
        time.sleep(0.005)
    print('DONE %.4f %d' % (time.time() - started, len(handles)), flush=True)
    print('PORT %d' % s.listen_port(), flush=True)
    signal.pause()


{'seed': seed, 'leech': leech, 'resume': resume, 'restart': restart}[sys.argv[1]](*sys.argv[2:])
os._exit(0)
