#!/bin/sh
# Runs a program of Criterion's, which needs two things that a bare chroot may lack: criterion.sh PROGRAM
if [ ! -d /dev/shm ]; then
  echo 'skipped: there is no /dev/shm, where Criterion keeps what its tests report'
  exit 77
fi
if [ ! -e /proc/self/maps ]; then
  echo 'skipped: /proc is not mounted, by which Criterion finds its tests'
  exit 77
fi
exec "$@"
