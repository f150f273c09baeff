#include "engine/container/runtime.h"

#include <elf.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::array kKinds = {Runtime::Kind::kCrun, Runtime::Kind::kRunc, Runtime::Kind::kBubblewrap,
                               Runtime::Kind::kApptainer};
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

// The end of what a program said.
std::string shortened(std::string said) {
  if (said.size() > kQuoted) said.erase(0, said.size() - kQuoted);
  return printable(trim(said));
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
  return fail(step_error(said.empty() ? cat("It ended with ", child.ended()->exit_code) : shortened(said)));
}

class Search {
 public:
  Search(Host& host, const std::string& scratch, Tried tried)
      : host_(host), scratch_(scratch), tried_(tried) {}

  Result<void> look_at(const std::string& name, const Runtime& runtime) {
    if (is_done()) return {};
    if (runtime.program.empty()) return rule_out(name, "is not installed");
    looked_at_.insert(runtime.program);
    const std::string folder = path_join(scratch_, cat("try-", name, "-", host_.clock.steady_ns()));
    const Result<void> worked = try_out(host_, runtime, folder);
    TRY(host_.files.remove(folder));
    if (!worked) return rule_out(name, cat("does not work here: ", worked.error().message));
    if (search_.found) return rule_out(name, "works, too");
    search_.found = runtime;
    return {};
  }

  // Images and a monitor that outlives its caller are what podman adds, and neither is of use here: what it
  // starts containers with is started without it.
  Result<void> look_at_podman() {
    if (is_done()) return {};
    const std::string podman = find_program(host_, "podman");
    if (podman.empty()) return rule_out("podman", "is not installed");
    const auto told = host_.processes.run(
        {{podman, "info", "--format", "{{.Host.OCIRuntime.Path}}"}, told_to_podman(), ""}, {});
    const std::string program(told && told->exit_code == 0 ? trim(told->output) : "");
    if (!program.starts_with('/'))
      return rule_out("podman", cat("does not say what it starts containers with: ",
                                    told ? shortened(told->errors) : told.error().message));
    if (looked_at_.contains(program))
      return rule_out("podman", cat("starts ", program, ", as is done without it"));
    for (const Runtime::Kind kind : {Runtime::Kind::kCrun, Runtime::Kind::kRunc}) {
      if (path_name(program) == program_of(kind))
        return look_at(cat("podman's ", name_of(kind)), {kind, program});
    }
    return rule_out("podman", cat("starts ", program, ", which is neither crun nor runc"));
  }

  void look_at_docker() {
    if (is_done()) return;
    (void)rule_out("docker", find_program(host_, "docker").empty()
                                 ? "is not installed"
                                 : "has its daemon start containers, of images that were loaded into it, and "
                                   "what a daemon started outlives whoever asked for it");
  }

  RuntimeSearch take() { return std::move(search_); }

 private:
  bool is_done() const { return search_.found && tried_ == Tried::kUntilOneWorks; }

  Result<void> rule_out(std::string name, std::string why_not) {
    search_.others.push_back({std::move(name), std::move(why_not)});
    return {};
  }

  // Where its settings and images are.
  std::map<std::string, std::string> told_to_podman() const {
    std::map<std::string, std::string> variables;
    for (const char* name : {"PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}) {
      if (const std::optional<std::string> value = host_.environment.get(name)) variables[name] = *value;
    }
    return variables;
  }

  Host& host_;
  const std::string& scratch_;
  Tried tried_;
  RuntimeSearch search_;
  std::set<std::string> looked_at_;  // programs
};

// This boot, and this user: what the one may the other may not.
std::string world(Host& host) { return cat(boot_of(host.files), "/", geteuid()); }

bool is_for(const RuntimeWish& wish, Runtime::Kind kind) {
  if (!wish.for_jobs && kind == Runtime::Kind::kApptainer) return false;
  return wish.name.empty() || wish.name == name_of(kind);
}

Result<std::optional<Runtime>> remembered(Host& host, const std::string& memo, const RuntimeWish& wish) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, memo));
  const Json json = text ? parse_json<Json>(*text) : Json();
  if (text_at(json, "world") != world(host)) return std::optional<Runtime>();
  for (const Runtime::Kind kind : kKinds) {
    const std::string program = text_at(json, "program");
    if (is_for(wish, kind) && text_at(json, "runtime") == name_of(kind) && access(program.c_str(), X_OK) == 0)
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
    case Runtime::Kind::kApptainer:
      return "apptainer";
  }
  return "";
}

const std::vector<std::string>& runtime_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Runtime::Kind kind : kKinds) all.emplace_back(name_of(kind));
    return all;
  }();
  return names;
}

Result<RuntimeSearch> search_runtime(Host& host, const std::string& scratch, Tried tried,
                                     const RuntimeWish& wish) {
  Search search(host, scratch, tried);
  const auto look_at = [&](Runtime::Kind kind) -> Result<void> {
    if (!is_for(wish, kind)) return {};
    return search.look_at(std::string(name_of(kind)), {kind, find_program(host, program_of(kind))});
  };
  for (const Runtime::Kind kind : {Runtime::Kind::kCrun, Runtime::Kind::kRunc, Runtime::Kind::kBubblewrap})
    TRY(look_at(kind));
  if (wish.name.empty()) TRY(search.look_at_podman());
  TRY(look_at(Runtime::Kind::kApptainer));
  if (wish.name.empty()) search.look_at_docker();
  return search.take();
}

std::string runtime_memo(const std::string& unpacked_layers) {
  return path_join(path_folder(unpacked_layers), "runtime.json");
}

Result<Runtime> find_runtime(Host& host, const std::string& scratch, const std::string& memo,
                             const RuntimeWish& wish) {
  const std::string own_memo = wish.name.empty() ? memo : cat(memo, "-", wish.name);
  TRY_ASSIGN(const std::optional<Runtime> known, remembered(host, own_memo, wish));
  if (known) return *known;
  TRY_ASSIGN(const RuntimeSearch search, search_runtime(host, scratch, Tried::kUntilOneWorks, wish));
  if (!search.found) {
    std::string why;
    for (const RuntimeSearch::Other& other : search.others)
      why += cat(why.empty() ? "" : "; ", other.name, " ", other.why_not);
    return fail(step_error(
        cat("No container can be run here: ", why),
        wish.name.empty() ? "`apt install crun` is the smallest that helps; `trainmake doctor` tries it out"
                          : "Without `runtime` the platform takes the first of all that works"));
  }
  const Json json = {
      {"world", world(host)}, {"runtime", name_of(search.found->kind)}, {"program", search.found->program}};
  TRY(write_file(host.files, own_memo, json.dump()));
  return *search.found;
}

}  // namespace trainmake
