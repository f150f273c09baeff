#include "engine/cli/find_images.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/plan/plan.h"
#include "rules/image/image_rule.h"
#include "rules/image/places.h"

namespace trainmake {
namespace {

Error no_image(const Session& session, const Graph& graph, const Target& target) {
  std::string hint = "An image is named as `image:mnist`";
  for (const Dependency& need : target.needs) {
    if (graph[need.target].label.kind == "image")
      hint = cat("Its image is ", quoted(session.shown(graph[need.target].label)));
  }
  return user_error(cat(quoted(session.shown(target.label)), " is no image"), hint);
}

Error never_made(const Session& session, const Label& label) {
  const std::string shown = session.shown(label);
  return user_error(cat(quoted(shown), " was not built yet"),
                    cat("`trainmake ", shell_word(shown), "` builds it"));
}

// The label's last, but one of which the code alone was gathered, for a try on this machine.
Result<std::optional<Record>> last_made(State& state, const Label& label) {
  TRY_ASSIGN(std::optional<Record> last, state.last(label));
  if (!last || !is_of_code_alone(last->manifest)) return last;
  return state.newest(label, [](const Manifest& manifest) { return !is_of_code_alone(manifest); });
}

// Its tags are those of its target, unless that says something else by now.
Result<FoundImage> found(const Session& session, const Target& target, Record record, bool up_to_date) {
  const Artifact* image = find_role(record.artifacts, "image");
  std::optional<ImageAddress> address = image == nullptr ? std::nullopt : parse_image_address(image->address);
  if (!address) return fail(never_made(session, target.label));
  std::vector<std::string> tags = up_to_date ? tags_of(target) : std::vector<std::string>{address->tag};
  return FoundImage{target, std::move(record), *std::move(address), std::move(tags), up_to_date};
}

}  // namespace

Result<std::vector<FoundImage>> find_images(const Call& call, const std::vector<std::string>& words) {
  Session& session = call.session;
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(words));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, patterns));
  const Graph& graph = loaded.graph;
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const Rules* rules, session.rules());
  // What cannot be described now is not up to date, and that is all that is asked here.
  const Plan plan = make_plan({graph, *rules, session.state(), {}}, processor_count());
  std::vector<FoundImage> images;
  for (const TargetId id : graph.asked) {
    const Target& target = graph[id];
    const bool named = std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) {
      return pattern.is_label() && pattern.label() == target.label;
    });
    if (target.label.kind != "image") {
      if (named) return fail(no_image(session, graph, target));
      continue;
    }
    TRY_ASSIGN(std::optional<Record> record, last_made(session.state(), target.label));
    if (!record) return fail(never_made(session, target.label));
    const bool up_to_date = plan.errors.empty() && plan.steps[id].verdict == Verdict::kUpToDate;
    TRY_ASSIGN(FoundImage image, found(session, target, *std::move(record), up_to_date));
    images.push_back(std::move(image));
  }
  if (images.empty())
    return fail(
        user_error("There is no image among them", "`trainmake query \"kind(image, //...)\"` lists images"));
  return images;
}

}  // namespace trainmake
