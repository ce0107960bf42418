//! Points that lie on your own wgpu device, read there without a copy: `cargo run --release --example own_device`.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use lacuna::gpu::{Gpu, wgpu};
use lacuna::topology::{CloudView, DeviceNumbers, Engine, Input, Options};
use wgpu::util::DeviceExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Your program has opened a device, with all the limits of its adapter.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let asked = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&asked))?;

    // A square, in a storage buffer of that device.
    let corners: [f32; 8] = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
    let bytes: Vec<u8> = corners.iter().flat_map(|x| x.to_le_bytes()).collect();
    let buffer = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("corners"),
        contents: &bytes,
        usage: wgpu::BufferUsages::STORAGE,
    });

    let engine = Engine::on(Gpu::from_wgpu(adapter, device, queue)?);
    let numbers = DeviceNumbers { buffer: &buffer, offset: 0, bytes: 32 };
    let view = CloudView { len: 4, features: 2, offset: 0, stride: 2 };
    let barcode = engine.barcode(Input::on_device(numbers, vec![view]), &Options::default())?;
    println!("{}: Betti numbers at 1.2: {:?}", engine.info().adapter, barcode.betti_numbers(1.2));
    Ok(())
}
