#include "rules/image/dockerfile.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <deque>

#include "cache/lay_out.h"
#include "engine/base/child.h"
#include "engine/base/log_lines.h"
#include "engine/base/redactor.h"
#include "engine/base/temporary_folder.h"
#include "engine/base/text.h"
#include "rules/image/documents.h"
#include "rules/image/exact_modes.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "rules/image/secret_search.h"
#include "rules/image/uncompress.h"

namespace trainmake {
namespace {

constexpr std::array<std::string_view, 3> kTools = {"buildah", "podman", "docker"};
constexpr std::chrono::milliseconds kGlance{200};
constexpr const char* kMemory = "/dev/shm";  // no disk keeps what lies there

// Where secrets lie for a tool that takes them from files: in memory, for our user alone.
class SecretFolder {
 public:
  explicit SecretFolder(FileSystem& files) : files_(files) {}
  ~SecretFolder() {
    if (!folder_.empty()) (void)files_.remove(folder_);
  }
  SecretFolder(const SecretFolder&) = delete;
  SecretFolder& operator=(const SecretFolder&) = delete;

  // The path of the file.
  Result<std::string> add(const std::string& name, const std::string& value) {
    if (folder_.empty()) {
      std::string made = cat(kMemory, "/trainmake-XXXXXX");
      if (::mkdtemp(made.data()) == nullptr) return fail(system_error("Cannot make", made, errno));
      folder_ = std::move(made);
    }
    std::string path = path_join(folder_, name);
    TRY(write_file(files_, path, value, {0400, false}));
    return path;
  }

 private:
  FileSystem& files_;
  std::string folder_;
};

const char* advice(const std::deque<std::string>& lines) {
  const auto says = [&](std::string_view text) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(text) != line.npos; });
  };
  if (says("cgroup")) return "With BUILDAH_ISOLATION=chroot set, buildah runs commands without cgroups";
  if ((says("COPY") || says("ADD ")) && says("no such file"))
    return "A file that it copies must be among the image's `inputs`";
  return "It is built as that program builds it by hand: its own settings hold, of registries and of how it "
         "runs commands";
}

// Everything that the build goes through.
struct Builder {
  Host& host;
  const DockerfileBuild& build;
  const std::stop_token& stop;
  std::string tool = {};

  bool is_docker() const { return tool == "docker"; }

  // Tells what it prints, and quotes the end of that when it fails.
  Result<void> run(const std::vector<std::string>& arguments) const {
    std::map<std::string, std::string> environment = host.environment.variables;
    for (const auto& [name, value] : build.secrets) environment.erase(name);  // buildah takes them from there
    TRY_ASSIGN(Child child, Child::start({arguments, std::move(environment), "/", {}}));
    Redactor redactor(values_of(build.secrets));
    LogLines lines;
    LastLines last;
    const LogLines::Sink sink = [&](std::string_view line) {
      last.add(std::string(line));
      build.tell(std::string(line));
    };
    std::string bytes;
    for (bool more = true; more; bytes.clear()) {
      if (stop.stop_requested()) {
        child.ask_to_end();
        return fail(interrupted_error());
      }
      TRY_ASSIGN(more, child.read(bytes, kGlance));
      lines.add(redactor.pass(bytes), sink);
    }
    lines.add(redactor.finish(), sink);
    lines.finish(sink);
    std::optional<ChildEnd> end = child.ended();
    while (!end) {
      TRY_ASSIGN(const bool more, child.read(bytes, kGlance));
      (void)more;
      end = child.ended();
    }
    if (end->exit_code == 0 && end->signal == 0) return {};
    std::string message =
        cat("The Dockerfile of ", quoted(build.name), " could not be built: ", quoted(arguments.front()),
            end->signal != 0 ? cat(" was ended by signal ", end->signal)
                             : cat(" ended with exit code ", end->exit_code));
    for (const std::string& line : last.all()) message += cat("\n  ", printable(line));
    return fail(step_error(std::move(message), advice(last.all())));
  }
};

// Docker is a client of a service that may not be there.
Result<bool> answers(Host& host, const std::string& tool, const std::stop_token& stop) {
  const Result<ProcessResult> done = host.processes.run(
      {{tool, tool == "docker" ? "info" : "--version"}, host.environment.variables, ""}, stop);
  if (stop.stop_requested()) return fail(interrupted_error());
  return done && done->exit_code == 0;
}

Result<std::string> find_tool(Host& host, const std::string& name, const std::stop_token& stop) {
  for (const std::string_view tool : kTools) {
    TRY_ASSIGN(const bool works, answers(host, std::string(tool), stop));
    if (works) return std::string(tool);
  }
  return fail(user_error(cat("The Dockerfile of ", quoted(name),
                             " needs buildah, podman or docker, and none of "
                             "them works here"),
                         "Install one of them, as `apt install buildah`, or write `base` and `run` instead"));
}

std::string blob_path(const std::string& layout, const Sha256& digest) {
  return path_join(layout, cat("blobs/sha256/", digest.hex()));
}

// Takes a blob of the layout in `from`, verified.
Result<void> take(FileSystem& files, const std::string& from, const BlobRef& blob, const ImageStore& store,
                  const std::stop_token& stop) {
  const std::string path = blob_path(from, blob.digest);
  TRY_ASSIGN(const BlobRef made, store.make(blob.media_type, [&](const ByteSink& out) {
    return read_pieces(files, path, stop, out);
  }));
  if (made.digest == blob.digest) return {};
  return fail(step_error(cat("What the tool wrote is damaged: ", digest_text(blob.digest))));
}

Error misread(const Error& why) { return step_error(cat("An image that the tool wrote ", why.message)); }

// The manifest that a layout's index names: its only entry, or that of an index which it names.
Result<Sha256> find_manifest(FileSystem& files, const std::string& from, const std::string& architecture) {
  TRY_ASSIGN(const std::string text, read_file(files, path_join(from, "index.json"), kLargestDocument));
  const Result<std::vector<ListedManifest>> listed = parse_image_index(text);
  if (!listed) return fail(misread(listed.error()));
  if (listed->empty()) return fail(step_error("What the tool wrote names no image"));
  const BlobRef& named = listed->front().manifest;
  if (!is_index(named.media_type)) return named.digest;
  TRY_ASSIGN(const std::string inner, read_file(files, blob_path(from, named.digest), kLargestDocument));
  const std::optional<Sha256> digest = manifest_in_index(inner, architecture);
  if (!digest) return fail(step_error(cat("What the tool wrote has no image for ", architecture)));
  return *digest;
}

// That no secret stands in a layer of the layout in `from`.
Result<void> search(FileSystem& files, const std::string& from, const BlobRef& layer, const Secrets& secrets,
                    const std::stop_token& stop) {
  SecretSearch search(secrets);
  Uncompressor plain(compression_of(layer.media_type), [&](std::string_view bytes) -> Result<void> {
    const std::string name = search.add(bytes);
    if (name.empty()) return {};
    return fail(step_error(cat("The value of secret ", quoted(name), " stands in what the Dockerfile built"),
                           "Have the command that uses it leave it out of its output and its files"));
  });
  TRY(read_pieces(files, blob_path(from, layer.digest), stop,
                  [&](std::string_view bytes) { return plain.add(bytes); }));
  return plain.finish();
}

// Takes the image of the OCI layout in `from`, whole.
Result<Sha256> take_image(FileSystem& files, const std::string& from, const std::string& architecture,
                          const Secrets& secrets, const ImageStore& store, const std::stop_token& stop) {
  TRY_ASSIGN(const Sha256 digest, find_manifest(files, from, architecture));
  TRY_ASSIGN(const std::string bytes, read_file(files, blob_path(from, digest), kLargestDocument));
  Result<ImageManifest> manifest = parse_image_manifest(bytes);
  if (!manifest) return fail(misread(manifest.error()));
  manifest->layers.push_back(manifest->config);
  for (const BlobRef& blob : manifest->layers) {
    if (!secrets.empty()) TRY(search(files, from, blob, secrets, stop));
    TRY(take(files, from, blob, store, stop));
  }
  TRY_ASSIGN(const BlobRef made, store.make(kManifestType, bytes));
  return made.digest;
}

}  // namespace

Result<Sha256> build_dockerfile(Host& host, Blobs& blobs, const ImageStore& store,
                                const DockerfileBuild& build, const std::stop_token& stop) {
  Builder builder{host, build, stop};
  TRY_ASSIGN(builder.tool, find_tool(host, build.name, stop));
  const TemporaryFolder scratch(
      host.files,
      path_join(store.folder(), cat("dockerfiles/.trainmake-", process_id(), "-", host.clock.steady_ns())));
  const std::string context = scratch.path("context");
  const std::string out = scratch.path("out");
  TRY(lay_out(host.files, blobs, build.files, quoted(build.name), context, {stop}));
  TRY(set_exact_modes(build.files, context));
  const std::string tag =
      cat("trainmake-",
          digest_of(cat(store.folder(), "\n", build.label, "\n", build.architecture)).hex().substr(0, 16));
  std::vector<std::string> command = {
      builder.tool, "build", "--file",     path_join(context, build.dockerfile),
      "--tag",      tag,     "--platform", cat("linux/", build.architecture)};
  if (!builder.is_docker()) command.insert(command.end(), {"--timestamp", "0"});
  SecretFolder secrets(host.files);
  for (const auto& [name, value] : build.secrets) {
    TRY_ASSIGN(const std::string file, secrets.add(name, value));
    command.insert(command.end(), {"--secret", cat("id=", name, ",type=file,src=", file)});
  }
  command.push_back(context);
  TRY(builder.run(command));
  if (builder.is_docker()) {
    const std::string archive = scratch.path("saved.tar");
    TRY(host.files.make_folder(out));
    TRY(builder.run({"docker", "save", "--output", archive, tag}));
    TRY(builder.run({"tar", "-xf", archive, "-C", out}));
  } else {
    TRY(builder.run({builder.tool, "push", "--quiet", tag, cat("oci:", out, ":it")}));
  }
  return take_image(host.files, out, build.architecture, build.secrets, store, stop);
}

}  // namespace trainmake
