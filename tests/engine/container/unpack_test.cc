#include "engine/container/unpack.h"

#include <gtest/gtest.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"

namespace trainmake {
namespace {

std::string gzip(std::string_view bytes) {
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(6), libdeflate_free_compressor);
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data(), out.size()));
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  return out;
}

class Unpack : public testing::Test {
 protected:
  Result<Sha256> unpack(const std::string& blob, const UnpackLimits& limits = {}) {
    std::filesystem::remove_all(root());
    std::filesystem::create_directories(root());
    std::ofstream(scratch_.path("blob"), std::ios::binary) << blob;
    auto reader = real_file_system().open(scratch_.path("blob"));
    TRY_ASSIGN(const UnpackedTar unpacked, unpack_layer(**reader, root(), limits, {}));
    return unpacked.diff_id;
  }

  std::string error_of(const std::string& blob, const UnpackLimits& limits = {}) {
    const Result<Sha256> unpacked = unpack(blob, limits);
    return unpacked ? "" : unpacked.error().message;
  }

  std::string root() const { return scratch_.path("root"); }
  std::string at(const std::string& name) const { return root() + "/" + name; }

  std::string content(const std::string& name) const {
    std::ifstream file(at(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  struct stat look(const std::string& name) const {
    struct stat found {};
    lstat(at(name).c_str(), &found);
    return found;
  }

  bool is_whiteout(const std::string& name) const {
    return S_ISCHR(look(name).st_mode) && look(name).st_rdev == 0;
  }

  bool is_opaque(const std::string& name) const {
    char value = 0;
    return getxattr(at(name).c_str(), opaque_attribute(), &value, 1) == 1 && value == 'y';
  }

  ScratchFolder scratch_;
};

TEST_F(Unpack, ReadsTarGzipAndZstdAlike) {
  const std::string tar = TarBytes().add('5', "a", "", 0755).add('0', "a/b", "hello").end();
  for (const std::string& blob : {tar, gzip(tar), zstd(tar)}) {
    const Result<Sha256> unpacked = unpack(blob);
    ASSERT_TRUE(unpacked) << unpacked.error().message;
    EXPECT_EQ(*unpacked, sha256_of(tar));
    EXPECT_EQ(content("a/b"), "hello");
  }
}

TEST_F(Unpack, ReadsConcatenatedGzipMembers) {
  const std::string tar = TarBytes().add('0', "a", std::string(5000, 'x')).add('0', "b", "y").end();
  std::string blob;
  for (std::size_t i = 0; i < tar.size(); i += 700) blob += gzip(std::string_view(tar).substr(i, 700));
  const Result<Sha256> unpacked = unpack(blob);
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  EXPECT_EQ(*unpacked, sha256_of(tar));
  EXPECT_EQ(content("b"), "y");
}

TEST_F(Unpack, DigestsWhatFollowsTheEndToo) {
  const std::string tar = TarBytes().add('0', "a", "x").end() + std::string(20000, '\0');
  const Result<Sha256> unpacked = unpack(gzip(tar));
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(*unpacked, sha256_of(tar));
}

TEST_F(Unpack, KeepsModesAndTimes) {
  ASSERT_TRUE(unpack(
      TarBytes().add('5', "d", "", 0555).add('0', "d/su", "x", 04755).add('0', "d/none", "", 0).end()));
  EXPECT_EQ(look("d").st_mode & 07777U, 0555U);
  EXPECT_EQ(look("d/su").st_mode & 07777U, 04755U);
  EXPECT_EQ(look("d/none").st_mode & 07777U, 0U);
  EXPECT_EQ(look("d").st_mtime, 1000);
  EXPECT_EQ(look("d/su").st_mtime, 1000);
}

TEST_F(Unpack, KeepsOwnersAsRoot) {
  if (!unpacks_as_root()) GTEST_SKIP() << "owners are kept as root alone";
  ASSERT_TRUE(unpack(TarBytes().add('0', "a", "x", 04755, 33).add('2', "l", "a", 0777, 34).end()));
  EXPECT_EQ(look("a").st_uid, 33U);
  EXPECT_EQ(look("a").st_gid, 33U);
  EXPECT_EQ(look("a").st_mode & 07777U, 04755U);
  EXPECT_EQ(look("l").st_uid, 34U);
}

TEST_F(Unpack, KeepsAttributesButOverlaysOwn) {
  ASSERT_TRUE(unpack(TarBytes()
                         .pax("SCHILY.xattr.user.kind", "weights")
                         .add('0', "a", "x")
                         .pax("SCHILY.xattr.user.overlay.redirect", "/etc")
                         .add('0', "b", "x")
                         .pax("SCHILY.xattr.trusted.overlay.redirect", "/etc")
                         .add('5', "c", "")
                         .end()));
  char value[16] = {};
  EXPECT_EQ(getxattr(at("a").c_str(), "user.kind", value, sizeof value), 7);
  EXPECT_STREQ(value, "weights");
  EXPECT_EQ(listxattr(at("b").c_str(), value, sizeof value), 0);
  EXPECT_EQ(listxattr(at("c").c_str(), value, sizeof value), 0);
}

TEST_F(Unpack, KeepsNamesThatAreNotAscii) {
  ASSERT_TRUE(unpack(TarBytes().pax("path", "größe/日本").add('0', "x", "1").add('0', "caf\xc3\xa9").end()));
  EXPECT_EQ(content("größe/日本"), "1");
  EXPECT_TRUE(S_ISREG(look("café").st_mode));
}

TEST_F(Unpack, WhiteoutsBecomeOverlays) {
  ASSERT_TRUE(unpack(TarBytes()
                         .add('0', "etc/.wh.passwd")
                         .add('0', "var/.wh..wh..opq")
                         .add('0', "var/new", "x")
                         .add('0', ".wh..wh.plnk")
                         .end()));
  EXPECT_TRUE(is_whiteout("etc/passwd"));
  EXPECT_FALSE(is_opaque("etc"));
  EXPECT_TRUE(is_opaque("var"));
  EXPECT_EQ(content("var/new"), "x");
  EXPECT_FALSE(std::filesystem::exists(at("plnk")));
}

TEST_F(Unpack, AWhiteoutBesideAFolderOfItsNameMakesItOpaqueInEitherOrder) {
  ASSERT_TRUE(unpack(TarBytes().add('0', ".wh.a").add('5', "a", "", 0755).end()));
  EXPECT_TRUE(is_opaque("a"));
  ASSERT_TRUE(unpack(TarBytes().add('5', "a", "", 0755).add('0', ".wh.a").end()));
  EXPECT_TRUE(is_opaque("a"));
  ASSERT_TRUE(unpack(TarBytes().add('0', "a", "x").add('0', ".wh.a").end()));
  EXPECT_EQ(content("a"), "x");
}

TEST_F(Unpack, KeepsHardLinksWithinTheLayer) {
  ASSERT_TRUE(unpack(TarBytes().add('0', "d/a", "x").add('1', "b", "d/a").end()));
  EXPECT_EQ(look("b").st_ino, look("d/a").st_ino);
}

TEST_F(Unpack, LeavesOutDevicesAndMakesFifos) {
  ASSERT_TRUE(unpack(TarBytes().add('3', "null").add('4', "sda").add('6', "pipe").add('0', "a", "x").end()));
  EXPECT_FALSE(std::filesystem::exists(at("null")));
  EXPECT_FALSE(std::filesystem::exists(at("sda")));
  EXPECT_TRUE(S_ISFIFO(look("pipe").st_mode));
}

TEST_F(Unpack, RefusesPathsThatClimb) {
  EXPECT_EQ(error_of(TarBytes().add('0', "../x", "1").end()),
            "The layer cannot be unpacked: `../x` leads out of it");
  EXPECT_EQ(error_of(TarBytes().add('0', "a/../../x", "1").end()),
            "The layer cannot be unpacked: `a/../../x` leads out of it");
  EXPECT_EQ(error_of(TarBytes().add('1', "a", "../blob").end()),
            "The layer cannot be unpacked: `../blob` leads out of it");
  EXPECT_EQ(error_of(TarBytes().add('0', ".wh...", "").end()),
            "The layer cannot be unpacked: `.wh...` hides nothing that can be");
}

TEST_F(Unpack, AbsolutePathsBeginAtItsRoot) {
  ASSERT_TRUE(unpack(TarBytes().add('0', "/tmp/trainmake-absolute", "1").end()));
  EXPECT_EQ(content("tmp/trainmake-absolute"), "1");
  EXPECT_FALSE(std::filesystem::exists("/tmp/trainmake-absolute"));
}

TEST_F(Unpack, WritesThroughNoLinkThatLeadsOut) {
  std::filesystem::create_directories(scratch_.path("outside"));
  ASSERT_TRUE(unpack(TarBytes()
                         .add('2', "abs", scratch_.path("outside"))
                         .add('0', "abs/x", "1")
                         .add('2', "up", "../outside")
                         .add('0', "up/x", "1")
                         .add('2', "file", scratch_.path("outside/y"))
                         .add('0', "file", "1")
                         .end()));
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path("outside")));
  EXPECT_EQ(content("file"), "1");
}

TEST_F(Unpack, ReadsThroughNoHardLinkThatLeadsOut) {
  std::ofstream(scratch_.path("secret")) << "s";
  EXPECT_EQ(error_of(TarBytes().add('2', "up", scratch_.path("")).add('1', "got", "up/secret").end()),
            "The layer cannot be unpacked: `got` is a hard link to `up/secret`, which is no file of it");
}

TEST_F(Unpack, FollowsLinksWithinTheLayer) {
  ASSERT_TRUE(unpack(
      TarBytes().add('5', "usr/bin", "", 0755).add('2', "bin", "usr/bin").add('0', "bin/x", "1").end()));
  EXPECT_EQ(content("usr/bin/x"), "1");
}

TEST_F(Unpack, RefusesMoreThanItsLimits) {
  const std::string large = TarBytes().add('0', "a", std::string(1 << 20, '\0')).end();
  EXPECT_EQ(error_of(gzip(large), {.bytes = 100'000}),
            "The layer cannot be unpacked: it grows beyond 97.7 KiB");
  const std::string sparse =
      TarBytes().pax("GNU.sparse.realsize", "1000000000000").pax("GNU.sparse.map", "0,0").add('0', "a").end();
  EXPECT_NE(error_of(sparse, {.bytes = 100'000}), "");
  EXPECT_EQ(error_of(TarBytes().add('0', "a").add('0', "b").end(), {.entries = 1}),
            "The layer cannot be unpacked: it has more than 1 entry");
}

TEST_F(Unpack, RefusesWhatIsDamagedOrCutShort) {
  const std::string tar = TarBytes().add('0', "a", std::string(100'000, 'x')).add('0', "b", "y").end();
  const std::string gz = gzip(tar);
  for (const std::string& whole : {tar, gz, zstd(tar)}) {
    EXPECT_NE(error_of(whole.substr(0, whole.size() / 3)), "");
    EXPECT_NE(error_of(whole.substr(0, 20)), "");
  }
  EXPECT_NE(error_of(gz.substr(0, gz.size() - 4)), "");
  std::string flipped = gz;
  flipped[gz.size() / 2] ^= 1;
  EXPECT_NE(error_of(flipped), "");
  EXPECT_NE(error_of("this is no tar at all, whatever it says it is"), "");
  EXPECT_NE(error_of(""), "");
}

TEST_F(Unpack, FoldersThatAreReachedThroughALinkKeepTheirModes) {
  ASSERT_TRUE(unpack(TarBytes()
                         .add('5', "usr", "", 0755)
                         .add('5', "usr/lib", "", 0755)
                         .add('2', "lib", "usr/lib")
                         .add('5', "lib/private", "", 0700)
                         .add('5', "lib/open", "", 01777)
                         .end()));
  EXPECT_EQ(look("usr/lib/private").st_mode & 07777U, 0700U);
  EXPECT_EQ(look("usr/lib/open").st_mode & 07777U, 01777U);
}

TEST_F(Unpack, AFolderThatIsListedAgainIsAsTheLastEntrySays) {
  ASSERT_TRUE(unpack(TarBytes().add('5', "a", "", 0755).add('0', "a/b", "x").add('5', "a", "", 0700).end()));
  EXPECT_EQ(look("a").st_mode & 07777U, 0700U);
}

TEST_F(Unpack, AFolderWhosePlaceALinkTookLendsItsModeToNothing) {
  ASSERT_TRUE(
      unpack(TarBytes().add('5', "real", "", 0755).add('5', "a", "", 0700).add('2', "a", "real").end()));
  EXPECT_EQ(look("real").st_mode & 07777U, 0755U);
}

TEST_F(Unpack, RefusesWhatIsCompressedTwice) {
  const std::string tar = TarBytes().add('0', "a", "hello").end();
  EXPECT_NE(error_of(gzip(gzip(tar))).find("it is compressed more than once"), std::string::npos);
}

TEST_F(Unpack, NamesAreBytes) {
  const std::string name = "caf\xe9";
  ASSERT_TRUE(unpack(TarBytes().pax("path", name).add('0', "other", "x").end()));
  EXPECT_EQ(content(name), "x");
  const std::string told = "21 hdrcharset=BINARY\n13 path=" + name + "\n";
  ASSERT_TRUE(unpack(TarBytes().add('x', "pax", told).add('0', "other", "y").end()));
  EXPECT_EQ(content(name), "y");
}

}  // namespace
}  // namespace trainmake
