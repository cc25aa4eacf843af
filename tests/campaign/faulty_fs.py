#!/usr/bin/python3
"""Passes a directory on under another name, until a file says which error to answer with: faulty_fs.py DIRECTORY MOUNT FAULT

FAULT is a file with the name of an error (EDQUOT, ENOSPC, ESTALE), and perhaps a pattern of file names. While it is there, whatever would
write to such a file (to any, without a pattern) answers with the error; with ESTALE whatever would read or look up, too, as the client of a
server does that has forgotten what a handle stood for. It needs Debian's python3-fusepy, and stays in the foreground until it is unmounted.
"""
import errno
import fnmatch
import os
import sys

import fusepy as fuse


class Faulty(fuse.Operations):
    def __init__(self, directory, fault):
        self.directory, self.fault = directory, fault

    def _path(self, path):
        self._fail(path, reads=True)
        return self.directory + path

    def _written(self, path):
        self._fail(path, reads=False)
        return self.directory + path

    def _fail(self, path, reads):
        try:
            with open(self.fault) as file:
                name, *pattern = file.read().split()
        except FileNotFoundError:
            return
        if (name == "ESTALE" or not reads) and fnmatch.fnmatch(os.path.basename(path), *pattern or "*"):
            raise fuse.FuseOSError(getattr(errno, name))

    def getattr(self, path, fh=None):
        status = os.lstat(self._path(path))
        return {key: getattr(status, key) for key in
                ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid", "st_blocks", "st_ino")}

    def access(self, path, mode):
        if not os.access(self._path(path), mode):
            raise fuse.FuseOSError(errno.EACCES)

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self._path(path))]

    def readlink(self, path):
        return os.readlink(self._path(path))

    def statfs(self, path):
        status = os.statvfs(self._path(path))
        return {key: getattr(status, key) for key in
                ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_ffree", "f_files", "f_frsize", "f_namemax")}

    def open(self, path, flags):
        return os.open(self._path(path), flags)

    def read(self, path, size, offset, fh):
        self._path(path)
        return os.pread(fh, size, offset)

    def release(self, path, fh):
        os.close(fh)

    def create(self, path, mode, fi=None):
        return os.open(self._written(path), os.O_RDWR | os.O_CREAT, mode)

    def write(self, path, data, offset, fh):
        self._written(path)
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self._written(path), length)

    def fsync(self, path, datasync, fh):
        self._written(path)
        os.fsync(fh)

    def flush(self, path, fh):
        self._written(path)

    def mkdir(self, path, mode):
        os.mkdir(self._written(path), mode)

    def rmdir(self, path):
        os.rmdir(self._path(path))

    def unlink(self, path):
        os.unlink(self._path(path))

    def rename(self, old, new):
        os.rename(self._path(old), self._path(new))

    def chmod(self, path, mode):
        os.chmod(self._path(path), mode)

    def chown(self, path, uid, gid):
        os.lchown(self._path(path), uid, gid)

    def utimens(self, path, times=None):
        os.utime(self._path(path), times)


if __name__ == "__main__":
    fuse.FUSE(Faulty(os.path.abspath(sys.argv[1]), sys.argv[3]), sys.argv[2], foreground=True, nothreads=True)
