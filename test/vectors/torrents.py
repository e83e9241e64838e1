"""Makes reference torrents with libtorrent; prints JSON. The bytes of file i are (i*31 + k*7 + k//251) mod 256 at k."""
import base64, hashlib, json, os, sys, tempfile
import libtorrent as lt

MODES = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}

def content(i, size):
    return bytes((i * 31 + k * 7 + k // 251) % 256 for k in range(size))

def make(mode, sizes, piece, canonical):
    with tempfile.TemporaryDirectory() as base:
        data = [content(i, s) for i, s in enumerate(sizes)]
        single = len(sizes) == 1
        name = hashlib.sha256(data[0]).hexdigest() if canonical else "vector"
        os.makedirs(base if single else os.path.join(base, name), exist_ok=True)
        fs = lt.file_storage()
        for i, d in enumerate(data):
            rel = name if single else os.path.join(name, "file%d.bin" % i)
            with open(os.path.join(base, rel), "wb") as f:
                f.write(d)
            fs.add_file(rel, len(d))
        ct = lt.create_torrent(fs, piece_size=piece, flags=MODES[mode])
        lt.set_piece_hashes(ct, base)
        entry = ct.generate()
        entry.pop(b"creation date", None)
        h = lt.torrent_info(entry).info_hashes()
        return {"mode": mode, "sizes": sizes, "pieceLengthBytes": piece, "canonical": canonical,
                "v1": str(h.v1) if h.has_v1() else None, "v2": str(h.v2) if h.has_v2() else None,
                "torrent": base64.b64encode(lt.bencode(entry)).decode()}

cases = json.load(sys.stdin)
json.dump([make(c["mode"], c["sizes"], c["pieceLengthBytes"], c.get("canonical", False)) for c in cases], sys.stdout, indent=1)
