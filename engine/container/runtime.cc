#include "engine/container/runtime.h"

#include <elf.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::array kKinds = {Runtime::Kind::kCrun, Runtime::Kind::kRunc, Runtime::Kind::kBubblewrap};
constexpr std::size_t kQuoted = 300;  // of what a runtime says

std::string_view program_of(Runtime::Kind kind) {
  return kind == Runtime::Kind::kBubblewrap ? "bwrap" : name_of(kind);
}

// A program that ends well and does nothing else, for this machine's processor: a container to try needs no
// image then.
std::string smallest_program() {
#if defined(__aarch64__)
  constexpr std::array<unsigned char, 12> kExit = {0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4};
  constexpr Elf64_Half kMachine = EM_AARCH64;
#else
  constexpr std::array<unsigned char, 9> kExit = {0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
  constexpr Elf64_Half kMachine = EM_X86_64;
#endif
  constexpr Elf64_Addr kBase = 0x400000;
  constexpr std::size_t kHeaders = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = kMachine;
  header.e_version = EV_CURRENT;
  header.e_entry = kBase + kHeaders;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr all{};
  all.p_type = PT_LOAD;
  all.p_flags = PF_R | PF_X;
  all.p_vaddr = all.p_paddr = kBase;
  all.p_filesz = all.p_memsz = kHeaders + kExit.size();
  all.p_align = 0x1000;
  std::string program(reinterpret_cast<const char*>(&header), sizeof header);
  program.append(reinterpret_cast<const char*>(&all), sizeof all);
  program.append(reinterpret_cast<const char*>(kExit.data()), kExit.size());
  return program;
}

// Where sbin is not in the PATH of people, runtimes lie there all the same.
std::string find_program(Host& host, std::string_view name) {
  const std::string path = cat(host.environment.get("PATH").value_or(""), ":/usr/bin:/usr/sbin:/sbin");
  for (const std::string& folder : split(path, ':')) {
    const std::string program = path_join(folder, name);
    if (folder.starts_with('/') && access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

Result<void> try_out(Host& host, const Runtime& runtime, const std::string& folder) {
  const std::string layer = path_join(folder, "layer");
  TRY(write_file(host.files, path_join(layer, "true"), smallest_program(), {.mode = 0755}));
  ContainerRequest request{{layer}, {"/true"}, {}, "", "", {}, {}, false, path_join(folder, "container")};
  TRY_ASSIGN(Child child, start_container(host.files, runtime, request));
  std::string said;
  for (bool more = true; more || !child.ended();) {
    TRY_ASSIGN(more, child.read(said, std::chrono::milliseconds(100)));
  }
  if (child.ended()->exit_code == 0) return {};
  if (said.size() > kQuoted) said.erase(0, said.size() - kQuoted);
  return fail(
      step_error(said.empty() ? cat("It ended with ", child.ended()->exit_code) : printable(trim(said))));
}

// This boot, and this user: what the one may the other may not.
std::string world(Host& host) { return cat(boot_of(host.files), "/", geteuid()); }

Result<std::optional<Runtime>> remembered(Host& host, const std::string& memo) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, memo));
  const Json json = text ? parse_json<Json>(*text) : Json();
  if (text_at(json, "world") != world(host)) return std::optional<Runtime>();
  for (const Runtime::Kind kind : kKinds) {
    const std::string program = text_at(json, "program");
    if (text_at(json, "runtime") == name_of(kind) && access(program.c_str(), X_OK) == 0)
      return std::optional(Runtime{kind, program});
  }
  return std::optional<Runtime>();
}

}  // namespace

std::string_view name_of(Runtime::Kind kind) {
  switch (kind) {
    case Runtime::Kind::kCrun:
      return "crun";
    case Runtime::Kind::kRunc:
      return "runc";
    case Runtime::Kind::kBubblewrap:
      return "bubblewrap";
  }
  return "";
}

Result<RuntimeSearch> search_runtime(Host& host, const std::string& scratch) {
  RuntimeSearch search;
  for (const Runtime::Kind kind : kKinds) {
    const std::string name(name_of(kind));
    const Runtime runtime{kind, find_program(host, program_of(kind))};
    if (runtime.program.empty()) {
      search.others.push_back({name, "is not installed"});
      continue;
    }
    const std::string folder = path_join(scratch, cat("try-", name, "-", host.clock.steady_ns()));
    const Result<void> worked = try_out(host, runtime, folder);
    TRY(host.files.remove(folder));
    if (worked) {
      search.found = runtime;
      break;
    }
    search.others.push_back({name, cat("does not work here: ", worked.error().message)});
  }
  return search;
}

Result<Runtime> find_runtime(Host& host, const std::string& scratch, const std::string& memo) {
  TRY_ASSIGN(const std::optional<Runtime> known, remembered(host, memo));
  if (known) return *known;
  TRY_ASSIGN(const RuntimeSearch search, search_runtime(host, scratch));
  if (!search.found) {
    std::string why;
    for (const RuntimeSearch::Other& other : search.others)
      why += cat(why.empty() ? "" : "; ", other.name, " ", other.why_not);
    return fail(step_error(cat("No container can be run here: ", why),
                           "`apt install crun` is the smallest that helps; `trainmake doctor` tries it out"));
  }
  const Json json = {
      {"world", world(host)}, {"runtime", name_of(search.found->kind)}, {"program", search.found->program}};
  TRY(write_file(host.files, memo, json.dump()));
  return *search.found;
}

}  // namespace trainmake
