//! TEMPORARY: development of the comparison of lives.
#![allow(clippy::all, clippy::pedantic, clippy::restriction, missing_docs)]
use kf_mcp_tests::fidelity::life::{self, CASES, Moments};
use kf_mcp_tests::place::Place;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let record = args.iter().any(|a| a == "--record");
    let show = args.iter().any(|a| a == "--show");
    let filters: Vec<&String> = args.iter().filter(|a| !a.starts_with("--")).collect();
    let cases: Vec<_> = CASES
        .iter()
        .filter(|c| filters.is_empty() || filters.iter().any(|f| c.name.contains(f.as_str())))
        .collect();
    let dir = std::path::Path::new("/tmp/h/E/real");
    std::fs::create_dir_all(dir).unwrap();
    let file = |c: &life::Case| dir.join(format!("{}.json", c.name.replace(' ', "_")));
    if record {
        let work = std::sync::Mutex::new(cases.clone());
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    loop {
                        let Some(case) = work.lock().unwrap().pop() else { break };
                        let rt = tokio::runtime::Builder::new_current_thread()
                            .enable_all()
                            .build()
                            .unwrap();
                        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            rt.block_on(async {
                                let real = real().await;
                                let now = jiff::Timestamp::now().as_millisecond();
                                let ns = format!("life-{:x}", now & 0xfff_ffff_ffff) + &case.name.len().to_string();
                                let moments = case.play(&real, &ns).await;
                                std::fs::write(file(case), serde_json::to_string_pretty(&(ns, moments)).unwrap())
                                    .unwrap();
                            })
                        }));
                        println!(
                            "recorded {}: {}",
                            case.name,
                            if result.is_ok() { "ok" } else { "PANIC" }
                        );
                    }
                });
            }
        });
    }
    let mut total = 0;
    for case in cases {
        let Ok(text) = std::fs::read_to_string(file(case)) else {
            println!("== {}: not recorded", case.name);
            continue;
        };
        let (ns, real): (String, Moments) = serde_json::from_str(&text).unwrap();
        let rt = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sandbox = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            rt.block_on(async {
                let place = Place::Sandbox(life::world::sandbox());
                case.play(&place, &ns).await
            })
        }));
        let Ok(sandbox) = sandbox else {
            println!("== {}: SANDBOX PANIC", case.name);
            total += 1;
            continue;
        };
        if show {
            println!("{}", serde_json::to_string_pretty(&sandbox).unwrap());
        }
        let found = life::compare(&real, &sandbox);
        println!(
            "== {}: {} differences; rows {:?}",
            case.name,
            found.differences.len(),
            found.rows
        );
        total += found.differences.len();
        for line in found.differences {
            println!("   {line}");
        }
    }
    println!("TOTAL {total}");
}
async fn real() -> Place {
    let path = std::env::var("KF_CONTROL_PLANE_KUBECONFIG").unwrap();
    let config = kube::config::Kubeconfig::read_from(path).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default())
        .await
        .unwrap();
    Place::Real(kube::Client::try_from(config).unwrap())
}
