#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fields.hpp"
#include "parameters.hpp"

// How a model hands over all that it is, and is made again from it, without knowing any file format. A model
// that can be saved has
//
//     static constexpr const char* kind = "Autoencoder";
//     void write_snapshot(SnapshotWriter&) const;
//     static Model read_snapshot(SnapshotReader&);
namespace reprise {
inline namespace REPRISE_ABI {

/// What values a tensor may hold besides finite ones.
enum class TensorValues { finite, not_negative };

/// Takes the parts of one model: its kind, sections of fields (such as its options), and tensors. Tensors are
/// kept by reference: what they point to must stay as it is until the snapshot is finished.
class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  virtual void model(const char* kind) = 0;
  /// Whether the state of the training belongs to the snapshot.
  virtual bool takes_training() const = 0;
  /// A section is one value, written as fields.
  template <typename T>
  void section(const char* name, const T& value) {
    detail::write_value(begin_section(name), value);
    end_section();
  }
  /// All tensors of a table, which stand in one vector. Their names get the prefix.
  virtual void tensors(const std::string& prefix, const ParameterTable& table, const Vector<float>& values,
                       TensorValues allowed = TensorValues::finite) = 0;
  virtual void tensors(const std::string& prefix, const ParameterTable& table, const Vector<double>& values,
                       TensorValues allowed = TensorValues::finite) = 0;

  /// Takes values that stand nowhere else, so that they live as long as the snapshot, for `tensors`.
  const Vector<double>& keep(Vector<double> values) {
    return *kept_.emplace_back(std::make_unique<Vector<double>>(std::move(values)));
  }

 protected:
  virtual FieldWriter& begin_section(const char* name) = 0;
  virtual void end_section() = 0;

 private:
  std::vector<std::unique_ptr<Vector<double>>> kept_;
};

/// Gives the same parts back. Refuses what is missing or not as it should be, with a `FileError` that names
/// the place.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;
  virtual bool has_section(const char* name) const = 0;
  template <typename T>
  void section(const char* name, T& value) {
    detail::read_value(begin_section(name), value);
    end_section();
  }
  /// Refuses a model with more values than the snapshot can hold, before memory is taken for them.
  virtual void require_room(Index values) = 0;
  /// Fills the vector, which must have the table's size; converts other scalars.
  virtual void tensors(const std::string& prefix, const ParameterTable& table, Vector<float>& values,
                       TensorValues allowed = TensorValues::finite) = 0;
  virtual void tensors(const std::string& prefix, const ParameterTable& table, Vector<double>& values,
                       TensorValues allowed = TensorValues::finite) = 0;
  /// What the snapshot is read from, as messages name it.
  virtual const std::string& place() const = 0;

 protected:
  virtual FieldReader& begin_section(const char* name) = 0;
  virtual void end_section() = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
