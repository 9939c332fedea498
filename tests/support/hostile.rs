//! What a stranger may write into an alert, to be shown, spoken, posted, mailed and logged.
//!
//! Included by `#[path = "../support/hostile.rs"] mod hostile;`.

/// Each does harm somewhere if it gets there as it is.
pub const TEXTS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style></textarea><svg/onload=alert(1)>",
    "{{ 7*7 }} ${7*7} <%= 7*7 %> {% raw %}",
    "javascript:alert(1)",
    "</Say><Hangup/><Dial>+1900000000</Dial>",
    "]]><!-- <![CDATA[ <?xml version='1.0'?> <!DOCTYPE x [<!ENTITY a 'b'>]> &a; &#0;",
    "<!channel> <!here> <!everyone> <@U0EVERY> <#C0ROOM> <https://evil.example|click here>",
    "*bold* _it_ ~no~ `code` ```block``` > quote",
    "line\r\nBcc: all@example.com\r\n\r\nbody",
    "=?utf-8?q?x?= =cmd|'/C calc'!A0",
    "+1+1\t@SUM(A1) -2",
    "\u{0}\u{1}\u{7}\u{8}\u{1b}[2J\u{1b}]0;title\u{7}\u{7f}\u{85}",
    "\u{202e}gnp.exe\u{202c}\u{2066}x\u{2069}\u{feff}\u{200b}",
    "\u{2028}line\u{2029}paragraph",
    "e\u{301}\u{327}\u{338} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{fffd}\u{ffff}\u{10ffff}",
    "'; DROP TABLE incidents; -- \" OR 1=1",
    "%s%n%x {} {0} %00 ../../etc/passwd",
    "\\u0000 \\ud800 \\\\ \\\" \\n",
    "@evil.example =1+1",
    "\u{feff}=HYPERLINK(\"https://evil.example\",\"x\")",
    "\u{9b}2J\u{9d}0;title\u{9c}",
    "\u{ff1c}script\u{ff1e} \u{ff1d}1 \u{2039}b\u{203a}",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp; &#x3c;b&#x3e;",
    "data: x\n\nevent: fact\ndata: {}",
    "BEGIN:VCARD\r\nTEL:+1900;x=1,2\r\nEND:VCARD",
];
