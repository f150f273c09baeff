// A run as it is at this moment: what is remembered of it and, when it was not over then, what its platform
// says. Writes nothing.
#pragma once

#include <functional>
#include <stop_token>

#include "engine/cli/session.h"
#include "engine/model/record.h"
#include "rules/job/platform.h"

namespace trainmake {

// The platform that the run was handed to, whichever is chosen now.
Result<Platform*> platform_of(Session& session, const Run& run);
// What is typed behind `trainmake` to have it done once more.
std::string asked_again(Session& session, const Run& run);
// The same to have that very run repeated, on that platform.
std::string repeated(Session& session, const Run& run, const std::string& platform);
// Of whoever looks, and is told on stderr when an answer takes long.
Patience patience_of_looking(std::stop_token stop);
// One that no platform was handed is lost, unless another trainmake is at that.
Run live(Session& session, Run run, const Patience& patience = {});
std::vector<Run> live(Session& session, std::vector<Run> runs, const Patience& patience = {});

// The run that a job's step takes up in place of starting one. REQUIRES: session.open_state.
Result<std::optional<Run>> run_in_flight(Session& session, const Label& label, const Manifest& manifest);

// Gives `sink` all that the run printed, and what it goes on to print until it is over. False when it was
// left before.
struct FollowOptions {
  bool to_the_end = true;  // false: what is there now
};
Result<bool> follow_log(Session& session, const Run& run, const std::function<void(std::string_view)>& sink,
                        FollowOptions options, std::stop_token stop);
// The same of several at once, in turn; the sink is told which of them printed it.
Result<bool> follow_logs(Session& session, const std::vector<Run>& runs,
                         const std::function<void(std::size_t, std::string_view)>& sink,
                         FollowOptions options, std::stop_token stop);

}  // namespace trainmake
