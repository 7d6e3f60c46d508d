// Package abi holds the numbers of the contract between flow and a
// WebAssembly plugin. abi.md says the contract in words; vectors/ holds
// memory images that every host and every SDK must read alike.
//
// The host is flow; a guest is one instance of a plugin. A task is one run of
// one operator, from flow_open to flow_close. An arena is one block of guest
// memory, aligned to 64 bytes, that holds a whole request or batch. All
// integers are little-endian and all pointers are 32-bit offsets into the
// guest's memory.
package abi

// Version is the contract's version. A host runs guests of its own version
// only.
const Version = 1

// Exports of a guest. Names of functions are followed by their WebAssembly
// types in abi.md.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportVersion    = "flow_abi_version"
	ExportArena      = "flow_arena"
	ExportDescribe   = "flow_describe"
	ExportOpen       = "flow_open"
	ExportProcess    = "flow_process"
	ExportFinish     = "flow_finish"
	ExportNext       = "flow_next"
	ExportClose      = "flow_close"
)

// ImportModule is the module name of the host's functions.
const ImportModule = "flow"

// Imports that a guest may take from module "flow". ImportTick is not among
// them: the host's meter puts it in, and a guest that names it is refused.
const (
	ImportLog      = "log"
	ImportProgress = "progress"
	ImportEmit     = "emit"
	ImportGemm     = "num_gemm"
	ImportTrsm     = "num_trsm"
	ImportTick     = "tick"
)

// Flags of num_gemm.
const (
	GemmTransA = 1 // A is stored k x m
	GemmTransB = 2 // B is stored n x k
	GemmLower  = 4 // only the lower triangle of C is read and written

	GemmFlags = GemmTransA | GemmTransB | GemmLower
)

// Flags of num_trsm.
const (
	TrsmRight = 1 // X op(L) = B, else op(L) X = B
	TrsmTrans = 2 // op(L) is L', else L

	TrsmFlags = TrsmRight | TrsmTrans
)

// Status of a Result.
const (
	StatusOK    = 0
	StatusError = 1 // Data, Size: an error object as JSON
	StatusMore  = 2 // flow_next only: call it again
)

// Alignment of an arena and of each buffer in it, in bytes.
const Alignment = 64

// Result is what every call but flow_abi_version, flow_arena and flow_close
// points to: three u32.
const (
	ResultStatus = 0
	ResultData   = 4
	ResultBytes  = 8 // bytes, or for flow_open the number of schemas
	ResultSize   = 12
)

// OpenRequest is what flow_open is given.
const (
	OpenSeed           = 0 // u64
	OpenOperator       = 8 // u32 pointer to UTF-8
	OpenOperatorLength = 12
	OpenParams         = 16 // u32 pointer to a JSON object in UTF-8
	OpenParamsLength   = 20
	OpenInputCount     = 24 // u32
	OpenInputs         = 28 // u32 pointer to that many u32 pointers to ArrowSchema, 0 where not connected
	OpenSize           = 32
)

// ArrowSchema of the Arrow C Data Interface with 32-bit pointers
// (https://arrow.apache.org/docs/format/CDataInterface.html).
const (
	SchemaFormat     = 0 // u32 pointer to a NUL-terminated string
	SchemaName       = 4 // u32 pointer to a NUL-terminated UTF-8 string, or 0
	SchemaMetadata   = 8 // not carried: 0
	SchemaFlags      = 16
	SchemaNChildren  = 24 // i64
	SchemaChildren   = 32 // u32 pointer to u32 pointers
	SchemaDictionary = 36
	SchemaRelease    = 40 // not used: see abi.md on who frees what
	SchemaPrivate    = 44
	SchemaSize       = 48

	FlagDictionaryOrdered = 1
	FlagNullable          = 2
)

// ArrowArray of the Arrow C Data Interface with 32-bit pointers.
const (
	ArrayLength     = 0  // i64
	ArrayNullCount  = 8  // i64, -1 where not computed
	ArrayOffset     = 16 // i64
	ArrayNBuffers   = 24 // i64
	ArrayNChildren  = 32 // i64
	ArrayBuffers    = 40 // u32 pointer to u32 pointers
	ArrayChildren   = 44
	ArrayDictionary = 48
	ArrayRelease    = 52
	ArrayPrivate    = 56
	ArraySize       = 64
)

// MaxDepth is how deep types may nest; a record batch itself has depth 0.
const MaxDepth = 32

// Levels of a log line.
const (
	LogInfo  = 0
	LogWarn  = 1
	LogError = 2
)
