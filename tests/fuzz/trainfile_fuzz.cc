// Feeds any bytes to load as a TRAINFILE.lua, from memory. Whatever they are, load ends soon, tells errors
// with a place and a text, and comes to the same declarations a second time.
#include <cstddef>
#include <cstdint>
#include <string>

#include "lua/load.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

Project load_bytes(std::string_view bytes) {
  MemFileSystem files;
  files.put("/work/TRAINFILE.lua", bytes);
  files.put("/work/common.lua", bytes);
  files.put("/work/data/a.txt", "a");
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  environment.variables["NAME"] = "value";
  LoadOptions options;
  options.root = "/work";
  options.platform = options.platform_type = "local";
  options.limits = {.instructions = 500'000,
                    .memory_bytes = std::size_t{32} << 20U,
                    .declared_bytes = std::size_t{32} << 20U};  // the sanitizers are slow with many values
  return load_project({files, processes, http, clock, environment}, options, "");
}

}  // namespace
}  // namespace trainmake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using trainmake::Project;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Project one = trainmake::load_bytes(text);
  for (const trainmake::Error& error : one.errors) {
    CHECK(!error.message.empty() && error.where.known() && error.where.line > 0);
  }
  const Project two = trainmake::load_bytes(text);
  CHECK(one.errors.size() == two.errors.size() && one.declarations.size() == two.declarations.size());
  for (std::size_t i = 0; i < one.declarations.size(); ++i) {
    CHECK(one.declarations[i].attributes == two.declarations[i].attributes);
  }
  return 0;
}
