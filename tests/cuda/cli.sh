# The program on the emulated device, and what it says where the module, the driver or the device is missing. Beyond
# what the scripts of tests/cli expect: EMULATOR, the folder of the emulated device; OTHER, a module of another version;
# LESSER, tests/cuda/lesser_device.c; OLD_DRIVER, tests/cuda/old_driver.c.
. "$(dirname "$0")/../cli/lib.sh"
files
built=$(dirname "$CUSEQ")
# on_device STATUS ARGUMENT...: the program with the emulated device in place of CUDA.
on_device() {
  local wanted=$1
  shift
  export LD_LIBRARY_PATH=$EMULATOR
  expect "$wanted" "$CUSEQ" "$@"
  unset LD_LIBRARY_PATH
}

on_device 0 devices
out_has '^cuda:0 .*compute capability [0-9]+\.[0-9]'
CUSEQ_EMULATOR_DEVICES=2 on_device 0 devices
out_has '^cuda:1 '

# Every array of a run agrees with the reference; the bits are the same from run to run and on every stream order.
for model in small forward attention text; do
  input=dense.npy
  case $model in forward) input=many.npy ;; attention) input=dense8.npy ;; text) input=wide.npy ;; esac
  on_device 0 compare $model.safetensors $input --device cuda
  silent
  out_lacks MISSED
  on_device 0 run $model.safetensors $input --device cuda -o first.npz
  CUSEQ_EMULATOR_SEED=5 on_device 0 run $model.safetensors $input --device cuda:0 -o second.npz
  same first.npz second.npz
  rm -f first.npz second.npz
done
on_device 0 compare attention.safetensors dense8.npy --lengths lengths.npy --device cuda
on_device 0 compare small.safetensors ids8.npy --device cuda
on_device 0 run small.safetensors dense.npy
out_has ' on cuda:0'

on_device 0 translate "$DATES" '3 May 1979' 'sat 21 Jan, 2012' --device cuda
out_is '1979-05-03
2012-01-21'
silent
on_device 0 info "$DATES" --device cuda
out_has '^run        whole, one launch for encoder and decoder$'
out_has '^           encoder layer 0: warp32, one launch$'
out_has '^decoder    loop, one launch, weights in registers$'
on_device 0 info layers.safetensors --device cuda
out_has '^run        stages \(not one launch: a GRU of the encoder resets before the product\)$'
out_has '^           encoder layer 1: cell, a graph of steps \(one launch needs the reset after the product\)$'
out_has '^decoder    loop, one launch$'
on_device 0 info layers.safetensors --device cuda --time 600
out_has '^decoder    steps, a graph of products and kernels \(not one launch: T is above 512\)$'
CUSEQ_CUDA_PLAN=whole on_device 2 info layers.safetensors --device cuda
err_has '^cuseq: cuda plan: "whole" cannot run this model on compute capability [0-9.]+ \(a GRU of the encoder resets before the product\)$'
CUSEQ_CUDA_PLAN=decoder=loop on_device 2 info layers.safetensors --device cuda --time 600
err_has '^cuseq: cuda plan: "decoder=loop" cannot run this model \(T is above 512\)$'
printf '3 May 1979\t1979-05-03\nsat 21 Jan, 2012\t2012-01-21\n1 May 1979\t1979-05-02\n' >pairs.tsv
on_device 0 evaluate "$DATES" pairs.tsv --device cuda --batch 2
grep -q '2 of 3' out || wrong "two of three pairs are right"
if [ -f "$DATA/dates_onehot.npy" ]; then
  on_device 0 compare "$DATES" "$DATA/dates_onehot.npy" --device cuda
else
  echo 'dates_onehot.npy is not there: not compared'
fi

# Devices that are not there.
on_device 2 run small.safetensors dense.npy --device cuda:7
err_has '^cuseq: device cuda:7: there is no such device \(there are reference, cpu, cuda:0\)'
CUSEQ_EMULATOR_DEVICES=2 on_device 0 run small.safetensors dense.npy --device cuda:1
out_has ' on cuda:1'
on_device 2 run small.safetensors dense.npy --device cuda:-1
on_device 2 run small.safetensors dense.npy --device cuda7

# Memory that does not suffice: how much was needed is said.
LD_LIBRARY_PATH=$EMULATOR CUSEQ_EMULATOR_MEMORY=1048576 run "$CUSEQ" evaluate "$DATES" pairs.tsv --device cuda --batch 500
[ "$STATUS" = 3 ] || wrong "exit status 3 was expected"
err_has '^cuseq: cuda:0: out of memory \(needed [0-9]{1,3} MiB for max_batch [0-9]+ and max_time 30, found 1 MiB'

# A launch that the runtime refuses is one line.
if [ "$CUSEQ_EMULATOR_SM" -ge 90 ]; then
  export LD_PRELOAD=$LESSER
  CUSEQ_LESSER=launches CUSEQ_CUDA_PLAN=encoder=cluster128 on_device 3 run small.safetensors dense.npy --device cuda
  err_has '^cuseq: cuda: sequence: the launch failed \(operation not supported\)$'
  # blocks that wait for each other are launched together, or not at all
  CUSEQ_LESSER=launches CUSEQ_CUDA_PLAN=encoder=grid on_device 3 run slow.safetensors wide.npy --device cuda
  unset LD_PRELOAD
  err_has '^cuseq: cuda: sequence: the launch failed \(operation not supported\)$'
fi

# No module: cuda says so, auto goes on.
mkdir alone
cp "$CUSEQ" "$built"/libcuseq.so* alone/
export LD_LIBRARY_PATH=$FOLDER/alone:$EMULATOR
expect 2 alone/cuseq run small.safetensors dense.npy --device cuda
err_has '^cuseq: device cuda: the module is missing \(.*/alone/libcuseq_cuda.so\) \(there are reference, cpu\)$'
expect 0 alone/cuseq run small.safetensors dense.npy
out_has ' on cpu'
echo 'not a library' >alone/libcuseq_cuda.so
expect 2 alone/cuseq run small.safetensors dense.npy --device cuda
err_has '^cuseq: device cuda: the module cannot be loaded'
cp "$OTHER" alone/libcuseq_cuda.so
expect 2 alone/cuseq run small.safetensors dense.npy --device cuda
err_has '^cuseq: device cuda: the module is of another version \(found 0.0.0, needed [0-9.]+\)'
expect 0 alone/cuseq run small.safetensors dense.npy
out_has ' on cpu'

# The program called by its bare name finds the module all the same.
mkdir whole
cp "$CUSEQ" "$built"/libcuseq.so* "$built/libcuseq_cuda.so" whole/
export LD_LIBRARY_PATH=$FOLDER/whole:$EMULATOR
export PATH=$FOLDER/whole:$PATH
expect 0 cuseq run small.safetensors dense.npy --device cuda
unset LD_LIBRARY_PATH

# A driver that is older than the runtime: the runtime says no more than when there is none.
mkdir driver
cp "$OLD_DRIVER" driver/libcuda.so.1
export LD_LIBRARY_PATH=$FOLDER/driver:$EMULATOR LD_PRELOAD=$OLD_DRIVER
expect 2 "$CUSEQ" run small.safetensors dense.npy --device cuda
err_has '^cuseq: device cuda: the NVIDIA driver is too old \(found one for CUDA 12.4, needed one for CUDA 13.[0-9]\)'
expect 0 "$CUSEQ" run small.safetensors dense.npy
out_has ' on cpu'
unset LD_LIBRARY_PATH LD_PRELOAD

# NVIDIA's own runtime without a driver.
if ldd "$built/libcuseq_cuda.so" | grep -q 'libcudart.* => /' && ! ldconfig -p | grep -q 'libcuda\.so\.1'; then
  expect 2 "$CUSEQ" run small.safetensors dense.npy --device cuda
  err_has '^cuseq: device cuda: there is no NVIDIA driver \(libcuda.so.1 is missing\)'
  expect 0 "$CUSEQ" run small.safetensors dense.npy
  out_has ' on cpu'
else
  echo 'there is a driver, or no CUDA runtime: what is said without a driver is not tested'
fi
finish
