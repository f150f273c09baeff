#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "engine/base/text.h"
#include "rules/data/mirror.h"
#include "tests/rules/mirror_world.h"

namespace trainmake {
namespace {

TEST(Mirror, ReadsBackAsItWasWritten) {
  Mirror mirror = mirror_of(listing({{std::string("a\xff\n", 3), "1"}, {"b ü", "2"}}), "//data:d");
  mirror.writer = "somebody";
  mirror.project = "a \"project\"";
  mirror.unsettled = {sending("\xfe", "new"),
                      removing("gone", "12"),
                      {"old", Unsettled::kDoubted, 0, {}},
                      {"was", Unsettled::kDoubted, 7, digest_of("was"), {}}};
  mirror.unsettled[0].ours = {digest_of("older"), digest_of("oldest")};
  std::sort(mirror.unsettled.begin(), mirror.unsettled.end(),
            [](const UnsettledKey& a, const UnsettledKey& b) { return a.key < b.key; });
  mirror.objects[1].size = kWorthCopying;
  mirror.objects[1].tag = "a \"tag\"";
  mirror.objects[1].chunks = {digest_of("1"), digest_of("2")};
  for (const std::optional<Mirror>& back :
       {mirror_from_json(to_json(mirror)), decode_mirror(encode(mirror))}) {
    ASSERT_TRUE(back);
    EXPECT_EQ(std::tie(back->root, back->project, back->target, back->writer),
              std::tie(mirror.root, mirror.project, mirror.target, mirror.writer));
    ASSERT_EQ(keys(back->unsettled), keys(mirror.unsettled));
    for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
      const UnsettledKey &is = back->unsettled[i], &was = mirror.unsettled[i];
      EXPECT_EQ(std::tie(is.what, is.content, is.size, is.ours),
                std::tie(was.what, was.content, was.size, was.ours));
    }
    ASSERT_EQ(back->objects.size(), 2U);
    EXPECT_EQ(back->objects[0].key, mirror.objects[0].key);
    EXPECT_EQ(back->objects[1].content, mirror.objects[1].content);
    EXPECT_EQ(back->objects[1].tag, mirror.objects[1].tag);
    EXPECT_EQ(back->objects[1].chunks, mirror.objects[1].chunks);
  }
}

// What an earlier trainmake may have left there.
TEST(Mirror, AnUnsettledKeyWithoutADigestIsNobodysForSure) {
  const auto mirror = mirror_from_json(R"({"format":2,"unsettled":[{"key":"a"}],"objects":[]})");
  ASSERT_TRUE(mirror);
  ASSERT_EQ(mirror->unsettled.size(), 1U);
  EXPECT_EQ(mirror->unsettled[0].what, Unsettled::kDoubted);
  EXPECT_FALSE(is_ours(mirror->unsettled[0], Digest128{}));
}

TEST(Mirror, OneOfANewerFormatIsKnownForThat) {
  EXPECT_TRUE(is_newer_mirror(R"({"format":3,"new":null})"));
  EXPECT_TRUE(is_newer_mirror(R"({"format":3,"unsettled":[],"objects":[]})"));
  EXPECT_FALSE(is_newer_mirror(R"({"format":2,"unsettled":[],"objects":)"));
  EXPECT_FALSE(is_newer_mirror("<html>"));
}

TEST(Mirror, DamagedTextIsNone) {
  const std::string whole = to_json(mirror_of(listing({{"a", "1"}, {"b", "2"}}), "//data:d"));
  ASSERT_TRUE(mirror_from_json(whole));
  for (std::size_t size = 0; size + 2 < whole.size(); ++size)
    EXPECT_FALSE(mirror_from_json(whole.substr(0, size))) << size;
  for (const char* text :
       {"", "{}", "[]", "{\"format\":3}", R"({"format":2,"root":"x","unsettled":[],"objects":[{}]})",
        R"({"format":2,"unsettled":[],"objects":[{"key":1,"size":2,"xxh3":"z"}]})",
        R"({"format":2,"unsettled":[],"objects":[[[[[[[[]]]]]]]]})"}) {
    EXPECT_FALSE(mirror_from_json(text)) << text;
  }
  const std::string bytes = encode(mirror_of(listing({{"a", "1"}, {"b", "2"}}), "//data:d"));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_mirror(bytes.substr(0, size))) << size;
}

TEST(Mirror, KeysThatNoTargetCanHaveAreDamage) {
  const std::string object = R"({"key":"%","size":2,"xxh3":"00000000000000000000000000000000"})";
  const auto mirror = [&](const std::string& objects, const std::string& unsettled) {
    return mirror_from_json(cat(R"({"format":2,"target":"t","root":"x","objects":[)", objects,
                                R"(],"unsettled":[)", unsettled, "]}"));
  };
  const auto with = [&](const std::string& key) {
    return std::string(object).replace(object.find('%'), 1, key);
  };
  ASSERT_TRUE(mirror(cat(with("a"), ",", with("b/c")), R"({"key":"b/d"})"));
  EXPECT_FALSE(mirror(cat(with("b"), ",", with("a")), "")) << "not in order";
  for (const std::string& key : {std::string(), std::string("/etc/passwd"), std::string("../up"),
                                 std::string("a/../../b"), std::string("a//b"), std::string("a\\u0000b"),
                                 std::string(".trainmake/other.json"), std::string(4097, 'k')}) {
    EXPECT_FALSE(mirror(with(key), "")) << key;
    EXPECT_FALSE(mirror("", cat("{\"key\":\"", key, "\"}"))) << key;
  }
}

TEST(Mirror, SaysWhatToSendAndWhatToRemove) {
  const Listing now = listing({{"a", "1"}, {"b", "2"}, {"d", "4"}});
  Mirror there = mirror_of(listing({{"a", "1"}, {"b", "old"}, {"c", "3"}, {"d/e", "5"}}), "//data:d");
  there.unsettled = {sending("b", "2"), removing("d", "4"), sending("f", "6")};
  const MirrorChange changed = change(now, there, true);
  ASSERT_EQ(changed.send.size(), 2U);
  EXPECT_EQ(changed.send[0]->key, "b");
  EXPECT_EQ(changed.send[1]->key, "d");
  EXPECT_EQ(changed.remove, Names{"c"});
  EXPECT_EQ(changed.make_way, Names{"d/e"});
  EXPECT_EQ(changed.ask, (Names{"d", "f"})) << "who knows what lies there by now";
  EXPECT_TRUE(change(now, there, false).remove.empty());
}

TEST(Mirror, WhatWasLeftWithoutPruneIsRemovedWithIt) {
  const Mirror there = mirror_of(listing({{"a", "1"}, {"b", "2"}}), "//data:d");
  const Listing now = listing({{"a", "1"}});
  const MirrorChange unpruned = change(now, there, false);
  EXPECT_TRUE(unpruned.empty());
  const Mirror left = announcement(now, there, unpruned).mirror;
  EXPECT_EQ(left.objects.size(), 2U);
  EXPECT_TRUE(left.unsettled.empty());
  EXPECT_EQ(change(now, left, true).remove, Names{"b"});
  EXPECT_TRUE(change(listing({{"a", "1"}, {"b", "2"}}), left, false).send.empty()) << "it never went";
}

TEST(Mirror, WhatOthersPutIsNeverRemoved) {
  Mirror there = mirror_of(listing({{"a", "1"}, {"b", "2"}, {"c", "3"}}), "//data:d");
  there.objects[1].is_found = true;
  there.objects[1].tag = "their tag";
  for (const std::optional<Mirror>& back : {mirror_from_json(to_json(there)), decode_mirror(encode(there))}) {
    ASSERT_TRUE(back);
    EXPECT_FALSE(back->objects[0].is_found);
    EXPECT_TRUE(back->objects[1].is_found);
    EXPECT_EQ(back->objects[1].tag, "their tag") << "nothing else tells what it is";
  }
  const Listing none;
  const MirrorChange changed = change(none, there, true);
  EXPECT_EQ(changed.remove, (Names{"a", "c"}));
  const Mirror said = announcement(none, there, changed).mirror;
  ASSERT_EQ(said.objects.size(), 1U);
  EXPECT_EQ(said.objects[0].key, "b");
  const Listing another = listing({{"a", "1"}, {"b", "other"}, {"c", "3"}});
  EXPECT_EQ(change(another, there, true).send.size(), 1U);
}

TEST(Mirror, AnAnnouncementSaysWhatIsCertain) {
  const Listing now = listing({{"a", "1"}, {"b", "2"}, {"d", "4"}});
  Mirror there = mirror_of(listing({{"a", "1"}, {"b", "old"}, {"c", "3"}}), "//data:d");
  there.objects[0].tag = "tag";
  const auto [said, gone] = announcement(now, there, change(now, there, true));
  EXPECT_EQ(gone, (Names{"b", "c"}));
  ASSERT_EQ(said.objects.size(), 1U);
  EXPECT_EQ(said.objects[0].tag, "tag");
  EXPECT_EQ(keys(said.unsettled), (Names{"b", "c", "d"}));
  EXPECT_EQ(said.unsettled[0].content, digest_of("2"));
  EXPECT_EQ(said.unsettled[1].what, Unsettled::kRemoving);
  EXPECT_EQ(said.unsettled[1].content, digest_of("3"));
  const Listing before = listing({{"b", "old"}});
  const MirrorChange back = change(before, said, true);
  ASSERT_EQ(back.send.size(), 1U) << "nobody knows whether it was overwritten";
  EXPECT_EQ(back.remove, Names{"a"});
  EXPECT_EQ(back.ask, (Names{"c", "d"}));
}

TEST(Mirror, OfWhatIsReplacedItIsKnownWhatWasOurs) {
  Mirror there = mirror_of(listing({{"a", "1"}, {"b", "theirs"}}), "//data:d");
  there.objects[1].is_found = true;
  const Listing second = listing({{"a", "2"}, {"b", "2"}, {"c", "2"}});
  const Mirror once = announcement(second, there, change(second, there, true)).mirror;
  ASSERT_EQ(keys(once.unsettled), (Names{"a", "b", "c"}));
  EXPECT_TRUE(is_ours(once.unsettled[0], digest_of("1")));
  EXPECT_TRUE(is_ours(once.unsettled[0], digest_of("2")));
  EXPECT_FALSE(is_ours(once.unsettled[1], digest_of("theirs")));
  EXPECT_FALSE(is_ours(once.unsettled[2], digest_of("1")));
  // It was cut.
  const Listing third = listing({{"a", "3"}, {"b", "2"}, {"c", "3"}});
  const Mirror twice = announcement(third, once, change(third, once, true)).mirror;
  for (const char* content : {"1", "2", "3"})
    EXPECT_TRUE(is_ours(twice.unsettled[0], digest_of(content))) << content;
  EXPECT_EQ(twice.unsettled[1].ours.size(), 1U) << "who was cut may have put what is sent again";
  EXPECT_FALSE(is_ours(twice.unsettled[1], digest_of("theirs")));
  const Mirror thrice = announcement(third, twice, change(third, twice, true)).mirror;
  EXPECT_EQ(thrice.unsettled[1].ours.size(), 1U);
  EXPECT_TRUE(is_ours(twice.unsettled[2], digest_of("2")));
}

TEST(Mirror, OfWhatIsLostItIsKnownWhatWasOurs) {
  Mirror known = mirror_of(listing({{"a", "1"}, {"b", "theirs"}, {"c", "3"}}), "//data:d");
  known.objects[1].is_found = true;
  known.unsettled = {sending("d", "4"), removing("e", "5")};
  const Mirror nothing = recalled(known, {});
  EXPECT_TRUE(nothing.objects.empty());
  EXPECT_EQ(keys(nothing.unsettled), (Names{"a", "c", "d", "e"})) << "what others put is theirs";
  EXPECT_TRUE(is_ours(nothing.unsettled[0], digest_of("1")));
  EXPECT_EQ(nothing.unsettled[2].what, Unsettled::kSending) << "which may never have arrived";
}

TEST(Mirror, WhatAnEarlierOneSaysOtherwiseIsDoubted) {
  const Mirror known = mirror_of(listing({{"a", "1"}, {"b", "2"}, {"d", "4"}}), "//data:d");
  Mirror earlier = mirror_of(listing({{"a", "1"}, {"b", "old"}, {"c", "3"}}), "//data:d");
  earlier.unsettled = {sending("d", "older"), removing("e", "5")};
  const Mirror both = recalled(known, earlier);
  ASSERT_EQ(both.objects.size(), 1U);
  EXPECT_EQ(both.objects[0].key, "a");
  EXPECT_EQ(both.root, "");
  ASSERT_EQ(keys(both.unsettled), (Names{"b", "c", "d", "e"}));
  for (const char* content : {"2", "old"}) EXPECT_TRUE(is_ours(both.unsettled[0], digest_of(content)));
  EXPECT_TRUE(is_ours(both.unsettled[1], digest_of("3")));
  for (const char* content : {"4", "older"}) EXPECT_TRUE(is_ours(both.unsettled[2], digest_of(content)));
  EXPECT_EQ(recalled(known, known).unsettled.size(), 0U);
}

TEST(Mirror, WhatBecameSomebodysIsNotOursByAnEarlierOne) {
  Mirror known = mirror_of(listing({{"a", "1"}}), "//data:d");
  known.objects[0].is_found = true;
  const Mirror both = recalled(known, mirror_of(listing({{"a", "1"}}), "//data:d"));
  ASSERT_EQ(keys(both.unsettled), Names{"a"});
  EXPECT_FALSE(is_ours(both.unsettled[0], digest_of("1")));
}

}  // namespace
}  // namespace trainmake
