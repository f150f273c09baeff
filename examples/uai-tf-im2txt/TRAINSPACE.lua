-- UCloud's UAI-Train. Keys come from UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or ~/.ucloud; images go to UHub after
-- `trainmake login uhub.service.ucloud.cn`.
platform "uai" {
  type = "uai",
  project_id = env("UAI_PROJECT", ""),
  registry = env("UAI_REGISTRY", "demo"),
  internal_uhub = true,
  bucket = env("UAI_BUCKET", "im2txt-bucket"),
}
default_platform "uai"
