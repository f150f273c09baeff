-- Where jobs run, and where images and data go. Keys stand in no file: UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or ~/.ucloud.
platform "uai" {
  type = "uai",
  region = "cn-bj2", zone = "cn-bj2-04",
  project_id = env("UAI_PROJECT", ""),
  registry = "demo",  -- yours of UHub
  bucket = "@DASHED@-bucket",
}
default_platform "uai"
