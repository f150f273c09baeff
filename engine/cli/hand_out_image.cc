#include "engine/cli/hand_out_image.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/build.h"
#include "engine/cli/typed_path.h"
#include "rules/image/delivery.h"
#include "rules/image/image_archive.h"
#include "rules/image/registries/layout/layout.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kProgressStep = std::uint64_t{1} << 20U;
constexpr std::string_view kUstar = "ustar";
constexpr std::size_t kUstarAt = 257;

// Tells how far it is, and at its end that it is done.
class Display {
 public:
  Display(Session& session, const Label& label, std::string_view doing, std::uint64_t total)
      : session_(session),
        label_(label),
        doing_(doing),
        total_(total),
        began_ns_(session.host().clock.steady_ns()) {
    if (session.json()) return;
    reporter_ = make_reporter(session);
    reporter_->event(StepStarted{label, {}});
  }

  // From one thread at a time.
  void add(std::size_t bytes) {
    done_ += bytes;
    if (!reporter_ || done_ - told_ < kProgressStep) return;
    told_ = done_;
    reporter_->event(Progress{label_, doing_, done_, total_, true});
  }
  void finish(const std::string& note) {
    if (!reporter_) return;
    const std::int64_t took_ms = (session_.host().clock.steady_ns() - began_ns_) / 1'000'000;
    reporter_->event(StepEnded{label_, Outcome::kRan, note, took_ms});
  }
  std::uint64_t bytes() const { return done_; }

 private:
  Session& session_;
  const Label& label_;
  std::string doing_;
  std::uint64_t total_, done_ = 0, told_ = 0;
  std::int64_t began_ns_;
  std::unique_ptr<Reporter> reporter_;
};

// An image with what is needed to read it.
struct Opened {
  FoundImage found;
  ImageStore store;
  std::unique_ptr<Places> places;
  Registry* layout = nullptr;
  Registry* remote = nullptr;
  ImageContents contents;

  ImageSource source() const { return {*layout, store, remote, found.address.repository}; }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const ImageContents::Image& image : contents.images)
      all.insert(all.end(), image.names.begin(), image.names.end());
    return all;
  }
};

// The image, and each variant of it, by the tags that they have.
std::vector<NamedImage> wanted_of(const FoundImage& found) {
  std::vector<NamedImage> wanted;
  for (const Artifact& artifact : found.record.artifacts) {
    const bool is_variant = artifact.role.starts_with(kVariantRole);
    const std::optional<Sha256> digest = Sha256::parse(artifact.sha256);
    if (!digest || (artifact.role != "image" && !is_variant)) continue;
    NamedImage image{*digest, artifact.size, {}};
    for (const std::string& tag :
         is_variant ? tags_of_variant(found.tags, artifact.role.substr(kVariantRole.size())) : found.tags)
      image.names.push_back(found.address.name(tag));
    wanted.push_back(std::move(image));
  }
  return wanted;
}

Result<Opened> open_image(const Call& call, FoundImage found) {
  Session& session = call.session;
  Opened opened{
      std::move(found), ImageStore::of(session.host(), session.workspace()), nullptr, nullptr, nullptr, {}};
  TRY_ASSIGN(opened.places, places_of(session));
  TRY_ASSIGN(opened.layout, opened.places->at(""));
  if (!opened.found.address.host.empty()) {
    TRY_ASSIGN(opened.remote, opened.places->at(opened.found.address.host));
  }
  tell_of_image(session, opened.found);
  TRY_ASSIGN(opened.contents, read_contents(opened.source(), wanted_of(opened.found), call.stop));
  for (const std::string& name : opened.names()) {
    if (!is_docker_name(name))
      write_stderr(cat("docker takes no image called ", quoted(name), ": it gets it without a name\n"));
  }
  return opened;
}

Json json_of(const Opened& image, std::uint64_t bytes) {
  Json json = {{"label", image.found.target.label.text()},
               {"image", cat("sha256:", image.found.address.digest.hex())},
               {"names", Json::array()},
               {"up_to_date", image.found.up_to_date},
               {"bytes", bytes}};
  for (const std::string& name : image.names()) json["names"].push_back(printable(name));
  return json;
}

Result<void> write_archive(const Call& call, const Opened& image, Display& display, const ByteSink& to) {
  return write_image_archive(
      image.contents, image.source(),
      [&](std::string_view bytes) {
        display.add(bytes.size());
        return to(bytes);
      },
      call.stop);
}

// An archive may be written again; what else lies there is not ours to replace.
Result<void> check_replaceable(Session& session, const std::string& path, const std::string& typed) {
  TRY_ASSIGN(const Stat there, session.host().files.look(path, Links::kFollow));
  if (!there.exists() || session.line().has("--overwrite")) return {};
  if (!there.is(FileKind::kFile))
    return fail(user_error(cat(quoted(typed), " is no file"), "`--to -` writes to the standard output"));
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, session.host().files.open(path));
  std::string head(kUstarAt + kUstar.size(), '\0');
  std::size_t count = 0;
  while (count < head.size()) {
    TRY_ASSIGN(const std::size_t more, reader->read(std::span(head).subspan(count)));
    if (more == 0) break;
    count += more;
  }
  if (count == 0 || head.ends_with(kUstar)) return {};
  return fail(user_error(cat(quoted(typed), " is there already, and is no archive"),
                         "Name another file, or replace it with `--overwrite`"));
}

Result<void> export_to_file(const Call& call, const Opened& image, const std::string& path,
                            Display& display) {
  TRY_ASSIGN(const std::unique_ptr<FileWriter> file, call.session.host().files.create(path));
  TRY(write_archive(call, image, display, [&](std::string_view bytes) { return file->append(bytes); }));
  return file->commit();
}

// Blobs first and names last: a folder that was cut short names nothing that is not there.
Result<void> export_to_folder(const Call& call, const Opened& image, const std::string& folder,
                              Display& display) {
  Host& host = call.session.host();
  const ImageStore store(host, folder, "");
  for (const auto& [digest, blob] : image.contents.blobs) {
    TRY_ASSIGN(const std::optional<std::uint64_t> there, store.size_of(digest, nullptr));
    if (there == blob.size) continue;
    TRY(store.make(blob.media_type, [&, &wanted = blob](const ByteSink& out) {
      return image.source().read(
          wanted,
          [&](std::string_view bytes) {
            display.add(bytes.size());
            return call.stop.stop_requested() ? Result<void>(fail(interrupted_error())) : out(bytes);
          },
          call.stop);
    }));
  }
  const std::unique_ptr<Registry> layout = make_layout_at(host, folder);
  for (const ImageContents::Image& each : image.contents.images) {
    std::vector<std::string> tags;
    for (const std::string& name : each.names) tags.push_back(name.substr(name.rfind(':') + 1));
    const std::string repository = image.found.address.name("");
    TRY(layout->put_manifest(repository.substr(0, repository.size() - 1),
                             {each.blob.media_type, image.contents.documents.at(each.blob.digest)}, tags,
                             call.stop));
  }
  return {};
}

Result<void> check_folder(FileSystem& files, const std::string& folder, const std::string& typed) {
  TRY_ASSIGN(const Stat there, files.look(folder, Links::kFollow));
  if (!there.exists()) return {};
  if (!there.is(FileKind::kFolder)) return fail(user_error(cat(quoted(typed), " is no folder")));
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
  TRY_ASSIGN(const Stat layout, files.look(path_join(folder, "oci-layout")));
  if (entries.empty() || layout.exists()) return {};
  return fail(user_error(cat(quoted(typed), " holds other files, and is no OCI layout"),
                         "Name a folder that is new or empty"));
}

Result<void> export_to(const Call& call, const Opened& image, const std::string& to, Display& display) {
  Session& session = call.session;
  if (to == "-") return write_archive(call, image, display, write_stdout_bytes);
  const std::string path = typed_path(session, to);
  TRY_ASSIGN(const Stat there, session.host().files.look(path, Links::kFollow));
  if (to.ends_with('/') || there.is(FileKind::kFolder)) {
    TRY(check_folder(session.host().files, path, to));
    return export_to_folder(call, image, path, display);
  }
  TRY(check_replaceable(session, path, to));
  return export_to_file(call, image, path, display);
}

// The one that is asked for, else the first that there is.
Result<std::string> choose_program(const Session& session, Host& host) {
  const std::vector<std::string> known = {"podman", "docker", "nerdctl"};
  if (const std::optional<std::string> given = session.line().value("--with")) {
    if (std::find(known.begin(), known.end(), *given) != known.end()) return *given;
    const std::string meant = did_you_mean(*given, known);
    return fail(
        user_error(cat("Flag `--with` takes podman, docker or nerdctl, got ", quoted(*given)),
                   meant.empty() ? std::string("Others read what `image export --to -` writes") : meant));
  }
  for (const std::string& program : known) {
    for (const std::string& folder : split(host.environment.get("PATH").value_or(""), ':')) {
      if (::access(path_join(folder, program).c_str(), X_OK) == 0) return program;
    }
  }
  return fail(user_error("There is neither podman, docker nor nerdctl in PATH",
                         "`trainmake image export LABEL --to FILE.tar` writes a file for another machine's"));
}

std::string last_line(std::string_view text) {
  text = trim(text);
  return printable(text.substr(text.rfind('\n') + 1));
}

Result<void> load_image(const Call& call, const Opened& image, const std::string& program) {
  Session& session = call.session;
  Display display(session, image.found.target.label, cat("loading into ", program), image.contents.bytes());
  Command command{{program, "load"}, session.host().environment.variables, ""};
  command.input = [&](const ByteSink& sink) { return write_archive(call, image, display, sink); };
  TRY_ASSIGN(const ProcessResult result, session.host().processes.run(command, call.stop));
  if (result.exit_code != 0)
    return fail(step_error(
        cat("`", program, " load` failed with exit code ", result.exit_code, ": ",
            last_line(result.errors.empty() ? result.output : result.errors)),
        "`--with` names another program; `trainmake image export LABEL --to FILE.tar` needs none"));
  display.finish(cat("loaded into ", program, ", ", human_bytes(display.bytes())));
  if (session.json()) {
    Json json = json_of(image, display.bytes());
    json["with"] = program;
    write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return {};
  }
  for (const std::string& name : image.names()) write_stdout(printable(name) + "\n");
  return {};
}

}  // namespace

void tell_of_image(const Session& session, const FoundImage& image) {
  if (image.up_to_date) return;
  const std::string shown = session.shown(image.target.label);
  write_stderr(cat(shown, " is not up to date: this is the one that was built last; `trainmake ",
                   shell_word(shown), "` builds it anew\n"));
}

Result<std::unique_ptr<Places>> places_of(Session& session) {
  TRY_ASSIGN(const ImageServices services, session.image_services());
  return std::make_unique<Places>(services);
}

Result<int> export_image(const Call& call, const std::string& word) {
  Session& session = call.session;
  const std::optional<std::string> to = session.line().value("--to");
  if (!to || to->empty())
    return fail(user_error("`trainmake image export` needs to be told where to",
                           cat("As `--to mnist.tar`, `--to mnist/` for a folder, or `--to -`")));
  if (*to == "-" && session.json())
    return fail(user_error("The archive and `--json` cannot both go to the standard output",
                           "Name a file with `--to`"));
  if (*to == "-" && ::isatty(STDOUT_FILENO) != 0)
    return fail(
        user_error("An archive is nothing for a terminal", "Send it on with `|` or `>`, or name a file"));
  TRY_ASSIGN(std::vector<FoundImage> found, find_images(call, {word}));
  if (found.size() > 1)
    return fail(
        user_error(cat("One image is exported at a time, and ", quoted(word), " names ", found.size()),
                   "Name one of them"));
  TRY_ASSIGN(const Opened image, open_image(call, std::move(found.front())));
  Display display(session, image.found.target.label, "exporting", image.contents.bytes());
  TRY(export_to(call, image, *to, display));
  display.finish(cat("exported to ", *to == "-" ? std::string("the standard output") : quoted(*to), ", ",
                     human_bytes(display.bytes())));
  if (!session.json()) return 0;
  Json json = json_of(image, display.bytes());
  json["to"] = printable(typed_path(session, *to));
  write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  return 0;
}

Result<int> load_images(const Call& call, const std::vector<std::string>& words) {
  TRY_ASSIGN(const std::string program, choose_program(call.session, call.session.host()));
  TRY_ASSIGN(std::vector<FoundImage> found, find_images(call, words));
  for (FoundImage& each : found) {
    TRY_ASSIGN(const Opened image, open_image(call, std::move(each)));
    TRY(load_image(call, image, program));
  }
  return 0;
}

}  // namespace trainmake
