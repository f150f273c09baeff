// An empty store of some room, and what its tests put files into.
#pragma once

#include <memory>

#include "cache/stores/store.h"
#include "tests/support/fake_http.h"
#include "tests/support/mem_fs.h"

namespace trainmake {

struct StoreUnderTest {
  std::shared_ptr<MemFileSystem> files;  // where put_file reads from
  std::shared_ptr<Store> store;
  bool takes_any_bytes = true;  // as keys; else UTF-8
  FakeHttp* http = nullptr;     // that it is reached by, if it is
};
using MakeStore = StoreUnderTest (*)();

StoreUnderTest dir_under_test();
StoreUnderTest http_under_test();        // WebDAV that makes no folders
StoreUnderTest nginx_under_test();       // with PROPFIND
StoreUnderTest bare_nginx_under_test();  // without
StoreUnderTest s3_under_test();
StoreUnderTest ufile_under_test();

}  // namespace trainmake
