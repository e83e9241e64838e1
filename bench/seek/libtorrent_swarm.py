#!/usr/bin/python3
"""libtorrent in the streaming bench.

    seed <torrent,…> <folder> <host:port> <bytes per second>
                        seeds at most so fast; prints READY
    view <torrent> <folder> <host:port,…> <ms of film in a piece>
                        prints READY; then takes lines:
                        connect            dials the peers
                        open <piece>       forgets earlier deadlines
                        want <n> <piece>   deadlines for this piece and three more; prints `HAVE <n>` once it is here
"""
import os
import select
import signal
import sys

import libtorrent as lt

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
WINDOW_PIECES = 4


def session(listen, **more):
    return lt.session({
        'listen_interfaces': listen, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
        'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
        'in_enc_policy': 2, 'out_enc_policy': 2, 'allow_multiple_connections_per_ip': True,
        'rate_limit_ip_overhead': False, **more,
    })


def add(s, torrent, folder, flags=0):
    p = lt.add_torrent_params()
    p.ti = lt.torrent_info(torrent)
    p.save_path = folder
    p.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    p.flags |= flags
    return s.add_torrent(p)


def seed(torrents, folder, address, bytes_per_second):
    # Like an uplink of that speed: by itself libtorrent hands out its limit twice a second, one block at a time to a
    # new peer, and the first byte of any engine would be a draw between 0 and 500 ms.
    s = session(address, upload_rate_limit=int(bytes_per_second), tick_interval=20, send_buffer_low_watermark=48 * 1024)
    # Peers on loopback are exempt from limits unless they are put into the global class.
    everybody = lt.ip_filter()
    everybody.add_rule('0.0.0.0', '255.255.255.255', 1 << s.global_peer_class_id)
    s.set_peer_class_filter(everybody)
    handles = [add(s, torrent, folder, lt.torrent_flags.seed_mode) for torrent in torrents.split(',')]
    while not all(handle.status().is_seeding for handle in handles):
        s.wait_for_alert(10)
    print('READY', flush=True)
    signal.pause()


def view(torrent, folder, addresses, piece_ms):
    # The shortest queue libtorrent allows: its best seeks (a queue of 3 s, its default, takes 2.6 s).
    s = session('127.0.0.1:0', request_queue_time=1, max_out_request_queue=16)
    handle = add(s, torrent, folder)
    count = handle.torrent_file().num_pieces()
    while handle.status().state in (lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data):
        s.wait_for_alert(5)
    print('READY', flush=True)
    wanted = {}
    unread = ''
    os.set_blocking(0, False)
    while True:
        if select.select([0], [], [], 0.002)[0]:
            text = os.read(0, 65536).decode()
            if not text:
                os._exit(0)
            unread += text
        while '\n' in unread:
            line, unread = unread.split('\n', 1)
            word, *numbers = line.split()
            if word == 'connect':
                for address in addresses.split(','):
                    host, port = address.rsplit(':', 1)
                    handle.connect_peer((host, int(port)))
            elif word == 'open':
                handle.clear_piece_deadlines()
                wanted.clear()
            else:
                ticket, piece = int(numbers[0]), int(numbers[1])
                wanted[ticket] = piece
                for ahead in range(WINDOW_PIECES):
                    if piece + ahead < count and not handle.have_piece(piece + ahead):
                        handle.set_piece_deadline(piece + ahead, ahead * int(piece_ms))
        for ticket, piece in list(wanted.items()):
            if handle.have_piece(piece):
                del wanted[ticket]
                print('HAVE %d' % ticket, flush=True)


{'seed': seed, 'view': view}[sys.argv[1]](*sys.argv[2:])
os._exit(0)
