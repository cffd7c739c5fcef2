#!/bin/sh
# Runs a program of Criterion's, which needs two things that a bare chroot may lack: criterion.sh PROGRAM
# Prints what failed, and what was skipped and why.
if [ ! -d /dev/shm ]; then
  echo 'skipped: there is no /dev/shm, where Criterion keeps what its tests report'
  exit 77
fi
if [ ! -e /proc/self/maps ]; then
  echo 'skipped: /proc is not mounted, by which Criterion finds its tests'
  exit 77
fi
# Only --verbose has the reasons of what was skipped, among a line for whatever began or passed.
exec 4>&1
status=$({
  {
    "$@" --verbose 2>&1
    echo $? >&3
  } | grep --line-buffered -v '^\[\(RUN \|PASS\)\]' >&4
} 3>&1)
exit "$status"
