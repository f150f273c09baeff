-- The workspace: where its data goes. With no platform named, jobs run on this machine.
-- A real bucket would be: store "bucket" { url = "s3://my-bucket/mnist" }
store "bucket" { url = "dir:bucket" }
default_store "bucket"
