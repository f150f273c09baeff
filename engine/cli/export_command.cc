// `export uai LABEL --to DIR`: the files that UAI-Train's own tools left behind for whoever submits in the
// web console. What the tools get wrong is told before anything is written.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/pack_context.h"
#include "engine/cli/typed_path.h"
#include "rules/job/platforms/uai/pack/pack_order.h"
#include "rules/job/platforms/uai/uai_choice.h"
#include "rules/job/platforms/uai/uai_request.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Result<PackDialect> dialect_of(const CommandLine& line) {
  const std::optional<std::string> name = line.value("--dialect");
  if (!name || *name == "current") return PackDialect::kCurrent;
  if (*name == "2017") return PackDialect::k2017;
  return fail(user_error(cat("There is no dialect ", quoted(*name)),
                         "`2017` is what the manual shows; without, it is as the tools write it"));
}

Result<const Target*> job_of(const Session& session, const Graph& graph) {
  if (graph.asked.size() != 1)
    return fail(
        user_error(cat("`trainmake export uai` takes one job, got ", plural(graph.asked.size(), "target")),
                   "As `trainmake export uai job:mnist --to packed`"));
  const Target& target = graph[graph.asked.front()];
  if (target.label.kind != "job")
    return fail(user_error(cat(quoted(session.shown(target.label)), " is no job"),
                           "The tools pack a job with its image: name it as `job:mnist`"));
  return &target;
}

// The service starts Python, whatever the main file is.
Result<void> check_main(Session& session, const Target& job, const PackOrder& order, const Listing& code) {
  const auto main = std::find_if(code.begin(), code.end(),
                                 [&](const ListedFile& file) { return file.key == path_clean(order.main); });
  if (main == code.end())
    return fail(user_error(cat("The main file ", quoted(order.main), " is not among the code"),
                           "A `main` is a path from the code's `root`, else from what its patterns share")
                    .at(job.where));
  TRY_ASSIGN(const std::string text, read_file(session.host().files, session.workspace().path(main->source)));
  const Result<Starter> starter = starter_of(main->key, main->mode, text);
  if (starter && starts_python(*starter)) return {};
  return fail(
      user_error(cat("UAI-Train starts ", quoted(order.main), " with Python, and it is no such program"),
                 "trainmake runs it there itself; to export it, let a file of Python start it")
          .at(job.where));
}

// What lies there already and says something else stays, unless it is asked for.
Result<void> write_packed(const Call& call, const std::string& folder, const std::vector<PackedFile>& files,
                          const PackContext& context) {
  Session& session = call.session;
  FileSystem& disk = session.host().files;
  TRY(check_copies(session, context, folder));
  for (const PackedFile& file : files) {
    const std::string path = path_join(folder, file.name);
    TRY_ASSIGN(const Stat stat, disk.look(path, Links::kFollow));
    if (!stat.exists() || session.line().has("--overwrite")) continue;
    TRY_ASSIGN(const std::string there, read_file(disk, path));
    if (there != file.text)
      return fail(user_error(cat("There is another ", quoted(file.name), " in ", quoted(folder), " already"),
                             "`--overwrite` replaces it"));
  }
  TRY(write_copies(call, context, folder));
  for (const PackedFile& file : files) TRY(write_file(disk, path_join(folder, file.name), file.text));
  return {};
}

// Where the Dockerfiles are built.
std::string told_place(const PackContext& context, const std::string& to) {
  if (context.copies.empty()) return "in the folder of TRAINFILE.lua";
  return cat("in ", printable(to), ", where exactly the code is copied to: ", quoted(context.stranger),
             " lies among it and is none of it");
}

// Whoever names `tags` knows what the image is called.
void tell_tag(const Session& session, const Graph& graph, const Target& job, const PackOrder& order) {
  const auto need = std::find_if(job.needs.begin(), job.needs.end(),
                                 [](const Dependency& each) { return each.attribute == "image"; });
  const Target& image = graph[need->target];
  if (!image.strings("tags").empty()) return;
  const std::string label = session.shown(image.label);
  write_stderr(cat("These files call the image ",
                   quoted(cat(order.registry, "/", order.image, ":", order.tag)),
                   ", as the tools did, and `trainmake ", shell_word(label), "` sends it as `latest`: give ",
                   quoted(label), " `tags = { \"", order.tag, "\" }` to have it called so there, too\n"));
}

void report(const Session& session, const Target& job, const std::vector<PackedFile>& files,
            const PackContext& context, const PackOrder& order, const std::vector<std::string>& mistakes) {
  const std::string to = *session.line().value("--to");
  if (session.json()) {
    Json json = {{"label", job.label.text()},
                 {"files", Json::array()},
                 {"copied", Json::array()},
                 {"mistakes", mistakes},
                 {"left_out", order.left_out}};
    for (const PackCopy& copy : context.copies) json["copied"].push_back(printable(path_join(to, copy.name)));
    for (const PackedFile& file : files) json["files"].push_back(printable(path_join(to, file.name)));
    write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return;
  }
  write_stdout(files.back().text);
  write_stderr(cat("Wrote ", plural(files.size(), "file"), " to ", printable(to),
                   "; the Dockerfiles are for a build ", told_place(context, to), "\n"));
}

}  // namespace

Result<int> export_command(const Call& call) {
  Session& session = call.session;
  const CommandLine& line = session.line();
  if (line.words.size() != 2 || line.words.front() != "uai")
    return fail(user_error("`trainmake export` needs `uai` and a job",
                           "As `trainmake export uai job:mnist --to packed`"));
  if (!line.has("--to"))
    return fail(user_error("It is not said where the files go",
                           cat("As `trainmake export uai ", shell_word(line.words[1]), " --to packed`")));
  TRY_ASSIGN(const PackDialect dialect, dialect_of(line));
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests({line.words[1]}));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, patterns));
  TRY_ASSIGN(const Target* job, job_of(session, loaded.graph));
  TRY_ASSIGN(const Space* space, session.space());
  TRY_ASSIGN(const Service* platform, uai_platform_of(*space, line.value("--platform")));
  TRY_ASSIGN(PackOrder order, pack_order_of(loaded.graph, *job, *platform,
                                            {session.workspace().path(job->label.folder),
                                             line.value("--test-data").value_or(""),
                                             line.value("--test-output").value_or("")}));
  const std::string to = typed_path(session, *line.value("--to"));
  TRY_ASSIGN(const PackContext context, pack_context_of(call, loaded.graph, *job, to, order));
  TRY(check_main(session, *job, order, context.code));
  const std::vector<std::string> mistakes = pack_mistakes(order);
  for (const std::string& mistake : mistakes)
    write_stderr(cat("UAI-Train's own tools get this wrong: ", mistake, "\n"));
  tell_tag(session, loaded.graph, *job, order);
  for (const std::string& part : order.left_out) write_stderr(cat("Not in these files: ", part, "\n"));
  const std::vector<PackedFile> files = pack_files(order, dialect);
  TRY(write_packed(call, to, files, context));
  report(session, *job, files, context, order, mistakes);
  return 0;
}

}  // namespace trainmake
