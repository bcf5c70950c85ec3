"""Made-up rows in the schema of DISC-Law-SFT's four files, for a stand-in hub."""

import json
from pathlib import Path

MATTERS = {
    "房屋租赁": "租客提前退租，押金能否要回，要看合同怎样约定；没有约定的，房东应当在扣除实际损失以后退还余款。",
    "劳动合同": "公司没有正当理由就辞退职工，应当按照工作年限支付赔偿金，职工也可以要求继续履行原来的合同。",
    "交通事故": "机动车与行人相撞，先由保险公司在责任限额以内赔偿，不足的部分再由有过错的一方承担。",
    "婚姻财产": "结婚以前各自买下的房子归各自所有，结婚以后共同还贷的部分，离婚时应当给另一方补偿。",
    "遗产继承": "没有遗嘱时，配偶、子女和父母是第一顺序的继承人，一般均等分配，照顾老人多的可以多分。",
    "民间借贷": "借条上没有写利息，就视为没有利息；约定的利率超过法定上限的部分，法院不予保护。",
    "消费纠纷": "商家以次充好构成欺诈，消费者可以要求退款，并且要求三倍于价款的赔偿，最低五百元。",
}


def write_rows(folder: Path) -> None:
    """Write the four files: short and long questions, with the statutes apart, and with them in the question."""
    folder.mkdir(parents=True)
    files: dict[str, list[dict[str, object]]] = {"Pair": [], "Pair-QA": [], "Triplet": [], "Triplet-QA": []}
    for number, (matter, answer) in enumerate(MATTERS.items()):
        statute = f"《示例法》第{number + 3}条：关于{matter}，{answer[:24]}。"
        files["Pair"].append(
            {
                "id": f"task-{number}",
                "input": f"请概括这段话的要点：{answer}",
                "output": f"这段话讲的是{matter}。",
            }
        )
        files["Pair-QA"].append({"id": f"qa-{number}", "input": f"遇到{matter}的问题应当怎么办？", "output": answer})
        row = {"id": f"t-{number}", "reference": [statute], "output": f"依据上述规定，{answer}"}
        files["Triplet"].append(row | {"input": f"我和别人因为{matter}起了争执，{answer[5:15]}，请问谁有道理？"})
        asked = f"相关法条：{statute}\n<问题>：\n{matter}一案中，{answer[10:22]}，应当如何处理？"
        files["Triplet-QA"].append(row | {"id": f"tq-{number}", "input": asked})
    names = {"Pair": "Pair", **{name: f"{name}-released" for name in ("Pair-QA", "Triplet", "Triplet-QA")}}
    for name, rows in files.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"DISC-Law-SFT-{names[name]}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
