# Odoo's own steps (odoo/service/db.py, dump_db and restore_db of Odoo 14 to 19)
# without what needs Odoo's registry.
import os, shutil, subprocess, sys, tempfile, zipfile


def zip_dir(path, stream):
    # odoo/tools/osutil.py, zip_dir(include_dir=False, fnct_sort=dump.sql first)
    with zipfile.ZipFile(stream, "w", compression=zipfile.ZIP_DEFLATED, allowZip64=True) as zipf:
        for dirpath, _, filenames in os.walk(path):
            for fname in sorted(filenames, key=lambda n: n != "dump.sql"):
                full = os.path.join(dirpath, fname)
                if os.path.isfile(full):
                    zipf.write(full, os.path.relpath(full, path))


def dump(pg_dump, db, filestore, target):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(filestore, os.path.join(folder, "filestore"))
        with open(os.path.join(folder, "manifest.json"), "w") as f:
            f.write('{"odoo_dump": "1", "db_name": "x", "version": "19.0", "version_info": [19, 0, 0, "final", 0, ""], '
                    '"major_version": "19.0", "pg_version": "15.0", "modules": {"base": "19.0.1.3"}}')
        subprocess.run([pg_dump, "--no-owner", "--file=" + os.path.join(folder, "dump.sql"), db],
                       stdout=subprocess.DEVNULL, check=True)
        with open(target, "wb") as stream:
            zip_dir(folder, stream)


def restore(psql, db, source, filestore):
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(source) as z:
            files = [m for m in z.namelist() if m.startswith("filestore/")]
            z.extractall(folder, ["dump.sql"] + files)
        subprocess.run([psql, "-d", db, "-q", "-f", os.path.join(folder, "dump.sql")],
                       stdout=subprocess.DEVNULL, check=True)
        shutil.move(os.path.join(folder, "filestore"), filestore)


{"dump": dump, "restore": restore}[sys.argv[1]](*sys.argv[2:])
