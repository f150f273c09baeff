// How a log and a reason say of which of a job's processes they tell, on all platforms alike. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

// "[worker 1] ", in front of each of its lines.
std::string prefix_of(std::string_view process);
// "process `worker 1`: exit code 3"; without a name, what it came to alone.
std::string reason_of(std::string_view process, std::string_view how);
// The process that such a reason names; "" when it names none.
std::string process_named_by(std::string_view reason);
// Whether a line is of some process. Others are of what started them, or of trainmake itself.
bool is_of_process(std::string_view line);
// "[trainmake] worker 1 failed: exit code 3; the others are ended"
bool is_of_trainmake(std::string_view line);

}  // namespace trainmake
