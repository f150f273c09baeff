# What is checked beside the unit tests, as ctest entries: gates over the sources, unit tests under sanitizers (built
# elsewhere, by run.sh), stories with the real binary.
option(TRAINMAKE_GATES "Register formatting and lint as tests" OFF)
set(TRAINMAKE_ASAN_DIR "" CACHE PATH "A build with address and undefined-behaviour sanitizers, whose tests are run, too")
set(TRAINMAKE_TSAN_DIR "" CACHE PATH "A build with the thread sanitizer, whose tests are run, too")

get_property(programs DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER programs INCLUDE REGEX "_test$")

# Those that start threads, as one target.
set(threaded ${programs})
list(FILTER threaded INCLUDE REGEX "^(engine_base|engine_run|cache|rules_data)_test$")
add_custom_target(threaded_tests DEPENDS ${threaded})

# check(NAME COMMAND words... [LABEL label] [TIMEOUT seconds] [ENVIRONMENT settings...])
function(check name)
  cmake_parse_arguments(CHECK "" "LABEL;TIMEOUT" "COMMAND;ENVIRONMENT" ${ARGN})
  add_test(NAME "${name}" COMMAND ${CHECK_COMMAND} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties("${name}" PROPERTIES LABELS "${CHECK_LABEL}" TIMEOUT "${CHECK_TIMEOUT}")
  if(CHECK_ENVIRONMENT)
    set_tests_properties("${name}" PROPERTIES ENVIRONMENT "${CHECK_ENVIRONMENT}")
  endif()
endfunction()

if(TRAINMAKE_GATES)
  foreach(gate format shell lua)
    check("gate: ${gate}" COMMAND sh tests/gates.sh ${gate} LABEL gate TIMEOUT 120)
  endforeach()
endif()

if(TRAINMAKE_ASAN_DIR)
  check("gate: tidy" COMMAND sh tests/gates.sh tidy ${TRAINMAKE_ASAN_DIR} LABEL slow TIMEOUT 3000)
  set_tests_properties("gate: tidy" PROPERTIES PROCESSORS 2)
  foreach(program ${programs})
    check("asan: ${program}" COMMAND ${TRAINMAKE_ASAN_DIR}/tests/${program} --gtest_brief=1 LABEL sanitizer TIMEOUT 600
      ENVIRONMENT ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1)
  endforeach()
endif()
if(TRAINMAKE_TSAN_DIR)
  foreach(program ${threaded})
    check("tsan: ${program}" COMMAND ${TRAINMAKE_TSAN_DIR}/tests/${program} --gtest_brief=1 LABEL sanitizer TIMEOUT 600
      ENVIRONMENT TSAN_OPTIONS=halt_on_error=1)
  endforeach()
endif()

# Stories: the real binary in a temporary folder, as a person types. One entry per folder.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(TARGET trainmake)
  file(GLOB stories CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/e2e ${CMAKE_CURRENT_SOURCE_DIR}/e2e/*/*_test.py)
  set(folders "")
  foreach(story ${stories})
    get_filename_component(folder ${story} DIRECTORY)
    list(APPEND folders ${folder})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder ${folders})
    # A base is made from some eighty packages there.
    set(seconds 300)
    if(folder STREQUAL container)
      set(seconds 900)
    elseif(folder MATCHES "^(data|slurm|uai)$")  # each kind of trouble at each request, at two services; these take their time
      set(seconds 900)
    endif()
    check("e2e: ${folder}" COMMAND ${Python3_EXECUTABLE} -B tests/e2e/run --bin $<TARGET_FILE:trainmake> ${folder} LABEL e2e TIMEOUT ${seconds})
  endforeach()
  if(TRAINMAKE_ASAN_DIR)
    check("asan: stories" COMMAND ${Python3_EXECUTABLE} -B tests/e2e/run --bin ${TRAINMAKE_ASAN_DIR}/trainmake everyday edits failing asking jobs stores
      LABEL sanitizer TIMEOUT 600)
  endif()
  if(TRAINMAKE_ASAN_DIR)
    # What every platform promises, with daemons that the script starts.
    check("asan: platforms on slurm" COMMAND ${Python3_EXECUTABLE} -B tests/e2e/slurm_cluster.py
      ${TRAINMAKE_ASAN_DIR}/tests/rules_job_test --gtest_brief=1 --gtest_filter=Slurm/PlatformConformance.*
      LABEL sanitizer TIMEOUT 300)
  endif()
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/edits)
    check("e2e: random edits" COMMAND ${Python3_EXECUTABLE} -B tests/fuzz/edits --bin $<TARGET_FILE:trainmake> --edits 500 --seed 1
      LABEL e2e TIMEOUT 300)
  endif()
endif()

if(TRAINMAKE_BENCH)
  add_executable(bench_hash bench/hash.cc)
  target_link_libraries(bench_hash PRIVATE cache engine_base xxhash)
endif()
