//! burn tensors as buffers of our pipelines, and buffers as tensors, without a copy to the host.
//!
//! The only file that names burn's internals, and the only one that reads tensors back. burn owns
//! the memory in both directions: a tensor's buffer is borrowed for reading, and results are
//! written into a buffer that burn has allocated. Everything goes through one queue, so what has
//! been submitted first runs first; `get_resource` makes burn submit what it still holds back.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::topology::DeviceNumbers;
use burn::backend::{CubeDevice, DispatchDevice, Wgpu};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_fusion::stream::StreamId;
use burn_fusion::{NoOp, get_client};
use burn_ir::{BackendIr, InitOperationIr, OperationIr, OperationOutput};
use cubecl::wgpu::{AutoCompiler, WgpuServer};

/// A tensor's memory on the device. As long as this lives, burn neither frees nor reuses it.
#[allow(missing_debug_implementations, reason = "burn's tensors would print their numbers, after reading them back")]
pub struct TensorBuffer {
    buffer: wgpu::Buffer,
    offset: u64,
    bytes: u64,
    _tensor: CubeTensor,
    _pin: Box<dyn std::any::Any>,
}

impl TensorBuffer {
    /// The buffer that the numbers lie in.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// First byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As the engine takes it.
    pub fn numbers(&self) -> DeviceNumbers<'_> {
        DeviceNumbers { buffer: &self.buffer, offset: self.offset, bytes: self.bytes }
    }
}

/// The numbers of a tensor on the host: the one way by which the library reads tensors back.
///
/// From a wgpu device the bytes count in [`crate::gpu::read_back_bytes`].
///
/// # Errors
/// [`Error::Device`] when the device fails.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    if is_wgpu(&tensor.device()) {
        crate::gpu::count_read_back(4 * tensor.shape().num_elements() as u64);
    }
    tensor.try_into_vec_as::<f32>().map_err(|e| failed("reading a tensor", e))
}

/// What kept [`data`] from reading a tensor, until it is asked for.
static UNREAD: std::sync::Mutex<Option<Error>> = std::sync::Mutex::new(None);

/// A tensor's numbers as burn's records take them, which know no errors: if the device fails they
/// are not numbers, and [`take_unread`] says why.
pub(crate) fn data<const D: usize>(tensor: &Tensor<D>) -> TensorData {
    let numbers = read(tensor.clone()).unwrap_or_else(|why| {
        UNREAD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(why);
        vec![f32::NAN; tensor.shape().num_elements()]
    });
    TensorData::new(numbers, tensor.shape())
}

/// Why a tensor that [`data`] was asked for could not be read, if one could not.
pub(crate) fn take_unread() -> Option<Error> {
    UNREAD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}

/// Whether tensors of this device can be borrowed.
pub fn is_wgpu(device: &Device) -> bool {
    cube_device(device).is_some()
}

fn cube_device(device: &Device) -> Option<CubeDevice> {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(cube @ CubeDevice::Wgpu(_)) => Some(cube.clone()),
        _ => None,
    }
}

fn failed(what: &str, why: impl std::fmt::Debug) -> Error {
    Error::Device(format!("{what}: {why:?}"))
}

/// The memory of a tensor of f32, in row-major order. The tensor must be without autodiff
/// (`.inner()`).
///
/// # Errors
/// [`Error::Input`] for a tensor that is not on a wgpu device, [`Error::Device`] when burn's queue
/// has failed.
pub fn buffer_of<const D: usize>(tensor: Tensor<D>) -> Result<TensorBuffer> {
    let bytes = 4 * tensor.shape().num_elements() as u64;
    let fused = tensor
        .try_into_primitive::<Wgpu>()
        .map_err(|e| Error::input(format!("the tensor is not a plain one on a wgpu device: {e:?}")))?;
    let client = fused.client.clone();
    // Convolutions leave their results channel-last.
    let cube = into_contiguous(client.resolve_tensor_float::<CubeBackend>(fused));
    let (buffer, offset, pin) = resource(&cube.client, cube.handle.clone())?;
    Ok(TensorBuffer { buffer, offset, bytes, _tensor: cube, _pin: pin })
}

fn resource(
    client: &cubecl::client::Client,
    handle: cubecl::server::Handle,
) -> Result<(wgpu::Buffer, u64, Box<dyn std::any::Any>)> {
    let managed = client.get_resource::<WgpuServer<AutoCompiler>>(handle).map_err(|e| failed("borrowing a tensor", e))?;
    client.flush().map_err(|e| failed("borrowing a tensor", e))?;
    let r = managed.resource();
    Ok((r.buffer.clone(), r.offset, Box::new(managed)))
}

/// A tensor whose numbers `write` puts into its buffer: it gets the buffer and the first byte, and
/// submits its work to the queue of `gpu`, the engine on the same device.
///
/// # Errors
/// [`Error::Input`] when the device is not wgpu; whatever `write` returns.
pub fn tensor_from<const D: usize>(
    device: &Device,
    gpu: &Gpu,
    shape: [usize; D],
    write: impl FnOnce(&Gpu, &wgpu::Buffer, u64) -> Result<()>,
) -> Result<Tensor<D>> {
    let cube = cube_device(device).ok_or_else(|| Error::input("the device is not a wgpu device"))?;
    let client = cube.client();
    let handle = client.empty(4 * shape.iter().product::<usize>());
    let (buffer, offset, pin) = resource(&client, handle.clone())?;
    write(gpu, &buffer, offset)?;
    drop(pin);
    let tensor = CubeTensor::new_contiguous(client, cube.clone(), Shape::from(shape), handle, DType::F32);
    let fusion = get_client::<CubeBackend>(&cube);
    let handle = CubeBackend::float_tensor_handle(tensor);
    let init = InitOperationIr::create(Shape::from(shape), DType::F32, || fusion.register_tensor_handle(handle));
    let fused = fusion.register(StreamId::current(), OperationIr::Init(init), NoOp::<CubeBackend>::new()).output();
    Ok(Tensor::from_primitive::<Wgpu>(fused))
}
